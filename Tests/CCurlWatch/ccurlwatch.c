#define _GNU_SOURCE
#include "ccurlwatch.h"
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#undef curl_multi_setopt

static atomic_long calls, nested_calls;
/// How many functions of libcurl this thread is in.
static _Thread_local int depth;
static _Thread_local long *rehearsed;

long ccurlwatch_calls(void) { return atomic_load(&calls); }

long ccurlwatch_nested_calls(void) { return atomic_load(&nested_calls); }

static void *base_of(const void *address) {
    Dl_info info;
    return dladdr(address, &info) ? info.dli_fbase : NULL;
}

static void note(const void *caller, const void *real) {
    if (depth > 0 && base_of(caller) == base_of(real)) return; // libcurl itself
    if (depth == 0) atomic_fetch_add(&calls, 1);
    else if (rehearsed) *rehearsed += 1;
    else atomic_fetch_add(&nested_calls, 1);
}

/// Defines a function anew: counts the call, and is in libcurl while the real one runs.
#define WATCH(type, name, parameters, arguments) \
    type name parameters { \
        static _Atomic(void *) found; \
        void *real = atomic_load(&found); \
        if (!real) { \
            real = dlsym(RTLD_NEXT, #name); \
            if (!real) abort(); \
            atomic_store(&found, real); \
        } \
        note(__builtin_return_address(0), real); \
        depth += 1; \
        RUN_##type(((type(*) parameters)real)arguments); \
        depth -= 1; \
        RETURN_##type; \
    }
#define RUN_void(call) call
#define RETURN_void
#define RUN_CURLcode(call) CURLcode result = call
#define RETURN_CURLcode return result
#define RUN_CURLMcode(call) CURLMcode result = call
#define RETURN_CURLMcode return result

WATCH(CURLcode, curl_easy_pause, (CURL * easy, int what), (easy, what))
WATCH(void, curl_easy_cleanup, (CURL * easy), (easy))
WATCH(void, curl_slist_free_all, (struct curl_slist * list), (list))
WATCH(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL *easy), (multi, easy))
WATCH(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL *easy), (multi, easy))
WATCH(CURLMcode, curl_multi_cleanup, (CURLM * multi), (multi))
WATCH(CURLMcode, curl_multi_socket_action,
    (CURLM * multi, curl_socket_t socket, int events, int *running),
    (multi, socket, events, running))

static int free_in_callback(CURLM *multi, long milliseconds, void *context) {
    (void)multi;
    (void)milliseconds;
    CURL **other = context;
    curl_easy_cleanup(*other);
    *other = NULL;
    return 0;
}

long ccurlwatch_rehearse(void) {
    long count = 0;
    CURL *easy = curl_easy_init(), *other = curl_easy_init();
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, free_in_callback);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, &other);
    rehearsed = &count;
    curl_multi_add_handle(multi, easy); // Asks for the timer.
    rehearsed = NULL;
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, NULL);
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    if (other) curl_easy_cleanup(other);
    curl_multi_cleanup(multi);
    return count;
}
