//! Any bytes as options of TCP.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::tcp_options::fuzz_tcp_options(bytes));
