//! Any bytes as messages of DNS.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::dns::fuzz_dns(bytes));
