//! Any bytes as a key log.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::tls::fuzz_key_log(bytes));
