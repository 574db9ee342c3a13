//! Any bytes as an input of any kind.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::capture::fuzz_open(bytes));
