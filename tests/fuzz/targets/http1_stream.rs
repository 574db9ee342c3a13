//! Any bytes as a connection of HTTP/1.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::http1_stream::fuzz_http1_stream(bytes));
