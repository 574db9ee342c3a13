//! Any bytes as a Fiddler archive.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::capture::fuzz_saz(bytes));
