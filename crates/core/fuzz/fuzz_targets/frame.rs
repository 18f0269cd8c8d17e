#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_core_fuzz::oracle::named("frame")(data));
