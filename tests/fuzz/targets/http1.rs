//! Any bytes as messages of HTTP/1.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::http1::fuzz_http1(bytes));
