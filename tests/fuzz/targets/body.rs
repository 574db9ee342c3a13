//! Any bytes as a coded body.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::body::fuzz_body(bytes));
