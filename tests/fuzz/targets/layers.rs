//! Any bytes as frames of a link.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::proto::layers::fuzz_layers(bytes));
