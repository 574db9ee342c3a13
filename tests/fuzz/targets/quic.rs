//! Any bytes as datagrams of QUIC.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::quic::fuzz_quic(bytes));
