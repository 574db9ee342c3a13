//! Any bytes as a pcap.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfatrace::capture::fuzz_pcap(bytes));
