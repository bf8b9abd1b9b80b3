// LLVM XRay beside hotsled: SITES functions in one image, patched and unpatched as a whole.
//
// clang needs more than half a millisecond for a function, so it compiles the first one, and the assembler
// repeats what clang 19 emits for it: both sleds, and its rows of the map from which the runtime patches.
// Start-up compares the bytes. The command line keeps everything else uninstrumented.
#include <xray/xray_interface.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>
#include <x86intrin.h>

#ifndef SITES
#define SITES 1
#endif
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

#define INSTRUMENTED [[clang::xray_always_instrument, gnu::noinline]]
#define PLAIN [[clang::xray_never_instrument, gnu::noinline]]

using Clock = std::chrono::steady_clock;
using Site = void (*)();

constexpr size_t kStride = 32;
constexpr size_t kLen = 23; // entry sled of 11, one byte of padding, return sled of 11

extern "C" {
INSTRUMENTED void first_site() { asm volatile(""); }
extern char more_sites[];
}

asm(R"(
    .text
    .globl more_sites
    .p2align 5, 0xcc
more_sites:
    .rept )" TEXT(SITES) R"( - 1
    .p2align 5, 0xcc
1:  .byte 0xeb, 0x09
    nopw 512(%rax,%rax)
    .p2align 1, 0x90
2:  retq
    nopw %cs:512(%rax,%rax)
    .pushsection xray_instr_map,"ao",@progbits,more_sites
3:  .quad 1b - ., 1b - .
    .byte 0, 1, 2
    .zero 13
    .quad 2b - ., 1b - .
    .byte 1, 1, 2
    .zero 13
    .popsection
    .pushsection xray_fn_idx,"ao",@progbits,more_sites
    .p2align 4, 0
    .quad 3b - ., 2
    .popsection
    .endr
)");

static Site site(size_t n) {
  return n == 0 ? first_site : reinterpret_cast<Site>(more_sites + (n - 1) * kStride);
}

static void fail(const char *why) {
  std::fprintf(stderr, "%s\n", why);
  std::exit(1);
}

// Keeps the calls it makes as they are, for every handler.
static void handle(int32_t, XRayEntryType) {}

static void start() {
  if (__xray_init(), __xray_max_function_id() != SITES)
    fail("the XRay runtime does not know every function");
  if (SITES > 1 && std::memcmp(reinterpret_cast<void *>(first_site), more_sites, kLen) != 0)
    fail("this clang emits other sleds than xray.cpp repeats");
  __xray_set_handler(handle);
}

static void flip(bool on) {
  if ((on ? __xray_patch() : __xray_unpatch()) != XRayPatchingStatus::SUCCESS)
    fail("XRay could not patch");
}

static double flip_us(bool on) {
  auto begin = Clock::now();
  flip(on);
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

static auto after(long milliseconds) { return Clock::now() + std::chrono::milliseconds(milliseconds); }

// Prints the microseconds of every batch.
static void switches(int busy, long milliseconds) {
  std::atomic<bool> stop{false};
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < busy; i++)
    threads.emplace_back([&] {
      ready++;
      while (!stop.load(std::memory_order_relaxed))
        for (size_t n = 0; n < SITES; n++)
          site(n)();
    });
  while (ready < busy)
    std::this_thread::yield();
  flip(true), flip(false); // pages are copied on the first write
  auto end = after(milliseconds);
  for (int n = 0; n == 0 || (n < 2000 && Clock::now() < end); n++)
    for (bool on : {true, false})
      std::printf("%f\n", flip_us(on));
  stop = true;
  for (auto &thread : threads)
    thread.join();
}

// Prints the number of flips, then how many calls took how many ticks.
static void stall(long milliseconds, long gap_us) {
  std::atomic<bool> stop{false};
  std::vector<uint64_t> short_calls(1 << 16);
  std::map<uint64_t, uint64_t> long_calls;
  std::thread caller([&] {
    while (!stop.load(std::memory_order_relaxed))
      for (size_t n = 0; n < SITES; n++) {
        uint64_t begin = __rdtsc();
        site(n)();
        uint64_t ticks = __rdtsc() - begin;
        ticks < short_calls.size() ? short_calls[ticks]++ : long_calls[ticks]++;
      }
  });
  long flips = 0;
  for (auto end = after(milliseconds); Clock::now() < end; flips++) {
    flip(flips % 2 == 0);
    std::this_thread::sleep_for(std::chrono::microseconds(gap_us));
  }
  stop = true;
  caller.join();
  std::printf("%ld\n", flips);
  for (size_t ticks = 0; ticks < short_calls.size(); ticks++)
    if (short_calls[ticks])
      std::printf("%zu %lu\n", ticks, short_calls[ticks]);
  for (auto [ticks, count] : long_calls)
    std::printf("%lu %lu\n", ticks, count);
}

#ifdef CALL
struct Args {
  float a;
  const float *x;
  float *y;
};

static inline __attribute__((always_inline)) void triad(const Args *args, size_t begin, size_t end) {
  float a = args->a;
  const float *__restrict x = args->x;
  float *__restrict y = args->y;
  for (size_t i = begin; i < end; i++)
    y[i] = a * x[i] + y[i];
}

PLAIN void direct(const Args *args, size_t begin, size_t end) { triad(args, begin, end); }
INSTRUMENTED void sled(const Args *args, size_t begin, size_t end) { triad(args, begin, end); }

// Calls one way COUNT times and prints nanoseconds a call.
static void calls(const std::string &way, long count) {
  float x[256], y[256];
  for (int i = 0; i < 256; i++)
    x[i] = 1, y[i] = 0;
  Args args{0.5f, x, y};
  void (*volatile call)(const Args *, size_t, size_t) = way == "direct" ? direct : sled;
  if (way == "active")
    flip(true);
  auto begin = Clock::now();
  for (long i = 0; i < count; i++)
    call(&args, 0, 256);
  auto took = std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
  if (way == "active")
    flip(false);
  std::printf("%f\n", took / count);
}
#endif

int main(int argc, char **argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  auto number = [&](size_t n) { return std::atol(args.at(n).c_str()); };
#ifdef CALL
  __xray_init();
  __xray_set_handler(handle);
  for (long round = 0; round < number(0); round++)
    calls(args.at(1), number(2));
#else
  start();
  if (args.at(0) == "switch")
    switches(number(1), number(2));
  else
    stall(number(1), number(2));
#endif
}
