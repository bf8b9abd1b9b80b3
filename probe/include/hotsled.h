// hotsled: count, replace and restore functions built with -fpatchable-function-entry, live.
// Made by cbindgen from probe/src/ffi.rs. Link with libhotsled_probe.a or libhotsled_probe.so.

#ifndef HOTSLED_H
#define HOTSLED_H

#include <stddef.h>
#include <stdint.h>

// Leave sleds of several nops alone.
#define HOTSLED_FUSE_REFUSE 0

// Make one nop of several while the caller is the only thread; otherwise leave them alone.
#define HOTSLED_FUSE_AT_LOAD 1

// What a call came to. Zero is success.
typedef enum {
  // Done.
  HOTSLED_STATUS_OK = 0,
  // A null pointer, or a number that is not allowed.
  HOTSLED_STATUS_ARGUMENT = 1,
  // No loaded module contains the address.
  HOTSLED_STATUS_NOT_LOADED = 2,
  // The module's file cannot be read, is not what is loaded, or has no table.
  HOTSLED_STATUS_FILE = 3,
  // This system or processor lacks what patching needs.
  HOTSLED_STATUS_UNSUPPORTED = 4,
  // Nothing was patched now: a debugger, a thread that blocks SIGTRAP, foreign bytes.
  HOTSLED_STATUS_REFUSED = 5,
  // The function was not adopted.
  HOTSLED_STATUS_UNKNOWN = 6,
  // The caller is a fork of the process that adopted; a child never patches.
  HOTSLED_STATUS_FORKED = 7,
  // The kernel failed in the middle; calls stay correct, and the next session tries again.
  HOTSLED_STATUS_INTERRUPTED = 8,
} hotsled_status;

// Called for each function that was left alone, with the reason; `context` is the caller's own.
typedef void (*hotsled_refused)(const void *function, const char *reason, void *context);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes the functions known that lie in the module of the address `inside` and were compiled with
// `-fpatchable-function-entry=nops,before`. They run as before.
//
// `fuse` is `HOTSLED_FUSE_REFUSE` or `HOTSLED_FUSE_AT_LOAD`. `each`, unless null, is called for every
// function that was left alone, and must not call back into this library. `adopted`, unless null,
// receives the number of functions adopted.
//
// # Safety
// The whole module was compiled with these numbers. With `HOTSLED_FUSE_AT_LOAD` the caller runs in no
// signal handler, and no other process shares this one's memory.
hotsled_status hotsled_probe_adopt(const void *inside,
                                   uint16_t nops,
                                   uint16_t before,
                                   uint32_t fuse,
                                   hotsled_refused each,
                                   void *context,
                                   size_t *adopted);

// Counts the calls of `function` from now on.
hotsled_status hotsled_probe_count(const void *function);

// Sends the calls of `function` to `replacement` from now on.
//
// # Safety
// `replacement` has the signature of `function` and stays loaded. Where `function` is called within
// its own file and gcc compiled that, build with `-fno-ipa-ra`.
hotsled_status hotsled_probe_replace(const void *function, const void *replacement);

// Lets `function` run as it was compiled.
hotsled_status hotsled_probe_restore(const void *function);

// Stores how many calls of `function` were counted.
//
// # Safety
// `calls` is null or has room for the number.
hotsled_status hotsled_probe_calls(const void *function, uint64_t *calls);

// Stores the address of code that runs `function` whatever its sled holds, for replacements to call.
//
// # Safety
// `original` is null or has room for a pointer.
hotsled_status hotsled_probe_original(const void *function,
                                      const void **original);

// What a status means, in English; never null, and never to be freed.
const char *hotsled_probe_message(int status);

// Copies what the calling thread's last failure was in detail, cut to `len` bytes with the final zero,
// and returns its whole length without that.
//
// # Safety
// `buffer` is null or has room for `len` bytes.
size_t hotsled_probe_last_error(char *buffer,
                                size_t len);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HOTSLED_H */
