//! Any bytes as an answer of the service.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::signin::fuzz_answer(bytes));
