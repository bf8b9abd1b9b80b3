#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hotsled_fuzz::sled(bytes));
