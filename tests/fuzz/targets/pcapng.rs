//! Any bytes as a pcapng.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::capture::fuzz_pcapng(bytes));
