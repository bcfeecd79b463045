#pragma once

/// Counts calls of libcurl, and those among them that come from inside a callback of libcurl.
///
/// Functions that free, or that go on with transfers, are defined anew in the test executable.
/// What libcurl calls of itself does not count.

/// Calls from outside so far, by any thread.
long ccurlwatch_calls(void);

/// Calls from inside a callback so far, by any thread.
long ccurlwatch_nested_calls(void);

/// Frees a handle from inside a callback, and gives how many calls were noticed doing so; they
/// are not counted otherwise.
long ccurlwatch_rehearse(void);
