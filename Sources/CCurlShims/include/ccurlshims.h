// Typed wrappers for what Swift cannot import of libcurl: variadic calls, and macros over enums.
#pragma once

#include <curl/curl.h>
#include <sys/socket.h>

CURLcode ccurl_global_init(void);

// curl_easy_setopt, one wrapper for each class of argument.
CURLcode ccurl_easy_set_long(CURL *easy, CURLoption option, long value);
CURLcode ccurl_easy_set_offset(CURL *easy, CURLoption option, curl_off_t value);
CURLcode ccurl_easy_set_text(CURL *easy, CURLoption option, const char *value);
CURLcode ccurl_easy_set_pointer(CURL *easy, CURLoption option, void *value);
CURLcode ccurl_easy_set_list(CURL *easy, CURLoption option, struct curl_slist *value);

typedef size_t (*ccurl_data_function)(char *bytes, size_t size, size_t count, void *context);
CURLcode ccurl_easy_set_write_function(CURL *easy, ccurl_data_function function);
CURLcode ccurl_easy_set_read_function(CURL *easy, ccurl_data_function function);
CURLcode ccurl_easy_set_header_function(CURL *easy, ccurl_data_function function);

typedef curl_socket_t (*ccurl_open_function)(
    void *context, curlsocktype purpose, struct curl_sockaddr *address);
CURLcode ccurl_easy_set_open_function(CURL *easy, ccurl_open_function function);

typedef int (*ccurl_prerequest_function)(
    void *context, char *remote_address, char *local_address, int remote_port, int local_port);
CURLcode ccurl_easy_set_prerequest_function(CURL *easy, ccurl_prerequest_function function);

// Called when a connection stands and its TLS handshake is about to begin.
typedef CURLcode (*ccurl_tls_function)(CURL *easy, void *tls, void *context);
CURLcode ccurl_easy_set_tls_function(CURL *easy, ccurl_tls_function function);

// curl_easy_getinfo.
CURLcode ccurl_easy_get_offset(CURL *easy, CURLINFO info, curl_off_t *value);
CURLcode ccurl_easy_get_pointer(CURL *easy, CURLINFO info, void **value);

// curl_multi_setopt.
CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value);
CURLMcode ccurl_multi_set_pointer(CURLM *multi, CURLMoption option, void *value);

typedef int (*ccurl_socket_function)(
    CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context);
CURLMcode ccurl_multi_set_socket_function(CURLM *multi, ccurl_socket_function function);

typedef int (*ccurl_timer_function)(CURLM *multi, long milliseconds, void *context);
CURLMcode ccurl_multi_set_timer_function(CURLM *multi, ccurl_timer_function function);

// The result of a finished transfer: CURLMsg holds it in a union.
CURLcode ccurl_message_result(const CURLMsg *message);

// The address libcurl is about to connect to, which is longer than the field that declares it.
const void *ccurl_address_bytes(const struct curl_sockaddr *address);

// A socket for that address, close-on-exec; CURL_SOCKET_BAD when there is none.
curl_socket_t ccurl_open_socket(const struct curl_sockaddr *address);
