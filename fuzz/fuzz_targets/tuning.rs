//! Any bytes as a tuning file, and as what follows the head of a good one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_simd::Cpu;
use trit_simd::tune::Tuning;

const DEVICE: &str = "fuzzed";

fn check(text: &str) {
    let cpu = Cpu::detect();
    let tuning = match Tuning::<8>::parse(text, DEVICE, &cpu) {
        Ok(tuning) => tuning,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    // What was read is what is written, but for the spaces and the digits of costs.
    let write = |tuning: &Tuning<8>| {
        let mut text = String::new();
        tuning.write(DEVICE, &mut text).expect("a string takes everything");
        text
    };
    let once = write(&tuning);
    let again = Tuning::<8>::parse(&once, DEVICE, &cpu).expect("what was written can be read");
    assert_eq!(write(&again), once);
    for choice in tuning.iter() {
        assert_eq!(tuning.get(choice.shape()), Some(choice));
        let (runs, default) = (choice.variant(), choice.default());
        assert!(runs == default || choice.rival().is_some_and(|(rival, _)| rival == runs));
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    check(text);
    check(&format!("trit tuning 1\ndevice {DEVICE}\n{text}"));
});
