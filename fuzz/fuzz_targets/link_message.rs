#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hotsled_fuzz::link_message(bytes));
