//! Any bytes as what is given for a key log.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::capture::fuzz_keys(bytes));
