//! Audio files of every kind that is read, whole and broken.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use trit_whisper::audio::{Audio, AudioError, Reader, read_bytes, read_file, read_stream};
use trit_whisper::{SAMPLE_RATE, Samples};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// How a sample is stored in a WAV file: format tag, bits, bytes of a value.
type Encoding = (u16, u16, fn(f64) -> Vec<u8>);

const I16: Encoding = (1, 16, |x| ((x * 32767.0).round() as i16).to_le_bytes().into());
const F32: Encoding = (3, 32, |x| (x as f32).to_le_bytes().into());
const ENCODINGS: [Encoding; 6] = [
    (1, 8, |x| vec![(x * 127.0 + 128.0).round() as u8]),
    I16,
    (1, 24, |x| ((x * 8_388_607.0).round() as i32).to_le_bytes()[..3].into()),
    (1, 32, |x| ((x * 2_147_483_647.0).round() as i32).to_le_bytes().into()),
    F32,
    (3, 64, |x| x.to_le_bytes().into()),
];

/// A WAV file of `frames` frames of `channels` values.
fn wav(
    encoding: Encoding,
    rate: u32,
    channels: u16,
    frames: usize,
    value: impl Fn(usize, u16) -> f64,
) -> Vec<u8> {
    let (tag, bits, encode) = encoding;
    let data: Vec<u8> = (0..frames)
        .flat_map(|frame| (0..channels).map(move |channel| (frame, channel)))
        .flat_map(|(frame, channel)| encode(value(frame, channel)))
        .collect();
    let block = channels * bits / 8;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(tag.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend(rate.wrapping_mul(block.into()).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

fn sine(frame: usize, rate: u32) -> f64 {
    0.5 * (frame as f64 * 440.0 * std::f64::consts::TAU / f64::from(rate)).sin()
}

/// Amplitude at `hertz` and root mean square of the middle half of `samples`.
fn tone(samples: &[f32], hertz: f64) -> (f64, f64) {
    let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (n, &x) in middle.iter().enumerate() {
        let (x, phase) = (f64::from(x), n as f64 * hertz * std::f64::consts::TAU / 16_000.0);
        (re, im, power) = (re + x * phase.cos(), im + x * phase.sin(), power + x * x);
    }
    let count = middle.len() as f64;
    (2.0 * re.hypot(im) / count, (power / count).sqrt())
}

fn assert_tone(name: &str, audio: &Audio, off: f64) {
    let (amplitude, rms) = tone(&audio.samples, 440.0);
    assert!((amplitude - 0.5).abs() < off, "{name}: amplitude {amplitude}");
    assert!((rms - 0.5 / 2.0_f64.sqrt()).abs() < off, "{name}: root mean square {rms}");
}

#[test]
fn every_kind_of_file_is_read() {
    // Frame-based codecs may add their delay and the rest of the last frame.
    let exact = 0;
    let frame = 2048 * SAMPLE_RATE / 22_050;
    for (name, extra, off) in [
        ("tone.flac", exact, 0.01),
        ("tone.mka", exact, 0.01),
        // Its first track is Opus, for which there is no decoder.
        ("two.mka", exact, 0.01),
        ("tone.alac.m4a", exact, 0.01),
        ("tone.aiff", exact, 0.01),
        ("tone.caf", exact, 0.01),
        ("tone.mulaw.wav", exact, 0.02),
        ("tone.adpcm.wav", frame, 0.02),
        ("tone.ogg", exact, 0.05),
        ("tone.mp3", 2 * frame, 0.05),
        ("tone.m4a", 2 * frame, 0.05),
        ("tone.front.m4a", 2 * frame, 0.05),
        ("tone.fragments.m4a", 2 * frame, 0.05),
        ("tone.aac", 2 * frame, 0.05),
    ] {
        let audio = read_file(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(audio.warning, None, "{name}");
        let expected = SAMPLE_RATE * 4 / 10;
        let found = audio.samples.len();
        assert!((expected..=expected + extra).contains(&found), "{name}: {found} samples");
        assert_tone(name, &audio, off);
    }
}

#[test]
fn streams_give_what_files_give() {
    for name in ["tone.flac", "tone.mp3", "tone.ogg", "tone.m4a", "tone.mka", "tone.adpcm.wav"] {
        let file = read_file(&fixture(name)).unwrap();
        let bytes = std::fs::read(fixture(name)).unwrap();
        let stream = read_stream(Cursor::new(bytes.clone())).unwrap();
        assert_eq!(stream.warning, None, "{name}");
        assert_eq!(file.samples, stream.samples, "{name}");
        assert_eq!(file.samples, read_bytes(bytes).unwrap().samples, "{name}");
    }
}

#[test]
fn windows_give_what_the_whole_gives() {
    let names = ["tone.flac", "tone.mp3", "tone.ogg", "tone.m4a", "tone.adpcm.wav", "chained.ogg"];
    for name in names {
        let whole = read_file(&fixture(name)).unwrap();
        for (window, step) in [(1, 1), (160, 160), (1000, 333), (5000, 4999), (1 << 20, 1 << 20)] {
            let mut reader = Reader::open(&fixture(name)).unwrap();
            let mut start = 0;
            loop {
                let found = reader.window(start, window).unwrap();
                let rest = &whole.samples[start.min(whole.samples.len())..];
                assert_eq!(found, &rest[..window.min(rest.len())], "{name}: {window} from {start}");
                if found.is_empty() {
                    break;
                }
                start += step;
            }
            assert!(reader.is_at_end() && reader.warning() == whole.warning.as_deref());
            assert_eq!(reader.total(), Some(whole.samples.len()), "{name}");
        }
    }
    let mut late = Reader::open(&fixture("tone.ogg")).unwrap();
    let whole = read_file(&fixture("tone.ogg")).unwrap();
    assert_eq!(late.window(3000, 50), Some(&whole.samples[3000..3050]));
}

#[test]
fn every_encoding_of_wav_is_read() {
    for encoding in ENCODINGS {
        let bytes = wav(encoding, 16_000, 1, 3200, |frame, _| sine(frame, 16_000));
        let audio = read_bytes(bytes).unwrap();
        assert_eq!(audio.samples.len(), 3200);
        for (n, &x) in audio.samples.iter().enumerate() {
            let off = (f64::from(x) - sine(n, 16_000)).abs();
            assert!(off < 0.01, "{} bits: sample {n} is off by {off}", encoding.1);
        }
    }
}

#[test]
fn resampling_keeps_length_amplitude_and_time() {
    for rate in [8_000, 11_025, 16_001, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000] {
        let frames = rate as usize / 2;
        let audio = read_bytes(wav(F32, rate, 2, frames, |frame, _| sine(frame, rate))).unwrap();
        let length = (frames * SAMPLE_RATE).div_ceil(rate as usize);
        assert_eq!(audio.samples.len(), length, "{rate} Hz");
        assert_tone(&format!("{rate} Hz"), &audio, 0.005);
        // The edges ring: a sine that begins suddenly has more than one frequency. The resampler's
        // delay is known to a whole sample, in which this sine changes by at most 0.087.
        for n in length / 4..length * 3 / 4 {
            let off = (f64::from(audio.samples[n]) - sine(n, 16_000)).abs();
            assert!(off < 0.087, "{rate} Hz: sample {n} is off by {off}");
        }
    }
}

#[test]
fn what_16_khz_cannot_hold_is_filtered_out() {
    let bytes = wav(F32, 48_000, 1, 48_000, |frame, _| {
        0.5 * (frame as f64 * 11_000.0 * std::f64::consts::TAU / 48_000.0).sin()
    });
    // It would fold to 5 kHz.
    let (folded, rms) = tone(&read_bytes(bytes).unwrap().samples, 5_000.0);
    assert!(folded < 1e-3 && rms < 1e-3, "{folded} {rms}");
}

#[test]
fn channels_are_averaged() {
    let opposite = wav(F32, 16_000, 2, 100, |_, channel| f64::from(channel) - 0.5);
    assert!(read_bytes(opposite).unwrap().samples.iter().all(|&x| x == 0.0));
    let one_of_four = wav(F32, 16_000, 4, 100, |_, channel| f64::from(channel / 3));
    assert!(read_bytes(one_of_four).unwrap().samples.iter().all(|&x| x == 0.25));
}

#[test]
fn a_chained_stream_may_change_its_rate() {
    let audio = read_file(&fixture("chained.ogg")).unwrap();
    assert_eq!(audio.warning, None);
    assert_eq!(audio.samples.len(), 2 * SAMPLE_RATE * 4 / 10);
    let (first, second) = audio.samples.split_at(audio.samples.len() / 2);
    for half in [first, second] {
        let (amplitude, _) = tone(half, 440.0);
        assert!((amplitude - 0.5).abs() < 0.05, "{amplitude}");
    }
}

#[test]
fn a_piped_wav_of_unstated_length_is_no_damage() {
    let mut bytes = wav(I16, 16_000, 1, 16_000, |frame, _| sine(frame, 16_000));
    bytes[4..8].fill(0xFF);
    bytes[40..44].fill(0xFF);
    let audio = read_stream(Cursor::new(bytes)).unwrap();
    assert_eq!(audio.warning, None);
    // The last packet may be lost.
    assert!((16_000 - 1152..=16_000).contains(&audio.samples.len()), "{}", audio.samples.len());
}

#[test]
fn a_matroska_file_of_unstated_length_ends_where_it_ends() {
    let mut bytes = std::fs::read(fixture("tone.mka")).unwrap();
    let samples = read_bytes(bytes.clone()).unwrap().samples;
    let segment = bytes.windows(4).position(|id| id == [0x18, 0x53, 0x80, 0x67]).unwrap() + 4;
    bytes[segment + 1..segment + 8].fill(0xFF);
    for audio in [read_bytes(bytes.clone()), read_stream(Cursor::new(bytes))] {
        let audio = audio.unwrap();
        assert_eq!(audio.warning, None);
        assert!(audio.samples == samples);
    }
}

/// As programs leave them that write into a pipe, or were killed.
#[test]
fn the_sizes_of_a_wav_file_may_be_wrong() {
    let whole = wav(I16, 16_000, 1, 10 * 1152, |frame, _| sine(frame, 16_000));
    let samples = read_bytes(whole.clone()).unwrap().samples;
    let with = |name: &[u8; 4], riff: u32, junk: bool, data: u32| {
        let mut bytes = whole.clone();
        bytes[..4].copy_from_slice(name);
        bytes[4..8].copy_from_slice(&riff.to_le_bytes());
        bytes[40..44].copy_from_slice(&data.to_le_bytes());
        if junk {
            // A chunk of an odd length, and the byte that makes it even.
            bytes.splice(36..36, *b"JUNK\x05\0\0\0odd..\0");
        }
        bytes
    };
    let (riff, data) = (whole.len() as u32 - 8, whole.len() as u32 - 44);
    let unknown = [0, u32::MAX, 0x7FFF_FFFF, 0x8000_0024, 36];
    for (name, riff) in
        unknown.into_iter().chain([riff]).map(|riff| (b"RIFF", riff)).chain([(b"RF64", u32::MAX)])
    {
        for data in [data, 0, u32::MAX, 0x7FFF_FFFF - 36] {
            for junk in [false, true] {
                let bytes = with(name, riff, junk, data);
                for audio in [read_bytes(bytes.clone()), read_stream(Cursor::new(bytes))] {
                    let audio = audio.unwrap_or_else(|error| panic!("{riff:x} {data:x}: {error}"));
                    assert_eq!(audio.warning, None, "{riff:x} {data:x}");
                    assert!(audio.samples == samples, "{riff:x} {data:x}");
                }
            }
        }
        // The samples' own size is believed.
        let mut cut = with(name, riff, false, data);
        let reader = Reader::from_bytes(cut.clone()).unwrap();
        assert_eq!(reader.total(), Some(samples.len()));
        cut.truncate(cut.len() / 2);
        assert!(read_bytes(cut).unwrap().warning.unwrap().contains("ends early"));
    }
}

#[test]
fn more_channels_than_can_be_decoded_are_refused() {
    let bytes = |channels| wav(I16, 16_000, channels, 100, |_, _| 0.0);
    assert!(read_bytes(bytes(26)).is_ok());
    for channels in [27, 33, u16::MAX] {
        let mut bytes = bytes(2);
        bytes[22..24].copy_from_slice(&channels.to_le_bytes());
        let error = refused(bytes);
        assert!(matches!(error, AudioError::Channels { count, .. } if count == channels));
    }
    let error = AudioError::Channels { count: 33, most: 26 }.to_string();
    assert_eq!(error, "33 channels, and no more than 26 can be decoded");
}

#[test]
fn what_comes_before_the_damage_is_kept() {
    let mut bytes = wav(I16, 16_000, 1, 16_000, |frame, _| sine(frame, 16_000));
    bytes.truncate(16_044);
    let audio = read_bytes(bytes).unwrap();
    assert!((8_000 - 1152..=8_000).contains(&audio.samples.len()), "{}", audio.samples.len());
    assert!(audio.warning.unwrap().contains("ends early"));

    let mut flac = std::fs::read(fixture("tone.flac")).unwrap();
    flac.truncate(flac.len() - 600);
    let audio = read_bytes(flac).unwrap();
    assert!(audio.warning.unwrap().contains("ends early, at 0.3 s"));
    assert!(audio.samples.len() > 1000);

    let mut aiff = std::fs::read(fixture("tone.aiff")).unwrap();
    aiff.truncate(aiff.len() / 2);
    let audio = read_bytes(aiff).unwrap();
    let warning = audio.warning.unwrap();
    assert!(warning.contains("ends early, at 0."), "{warning}");
    assert!((3_200 - 1152..=3_200).contains(&audio.samples.len()), "{}", audio.samples.len());

    // Their index comes first.
    for name in ["tone.front.m4a", "tone.fragments.m4a"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        let samples = read_bytes(whole.clone()).unwrap().samples;
        let cut = whole[..whole.len() * 7 / 10].to_vec();
        for audio in [read_bytes(cut.clone()), read_stream(Cursor::new(cut))] {
            let audio = audio.unwrap_or_else(|error| panic!("{name}: {error}"));
            let warning = audio.warning.unwrap_or_else(|| panic!("{name}: no warning"));
            assert!(warning.contains("ends early, at 0."), "{name}: {warning}");
            let found = audio.samples.len();
            assert!((1600..samples.len() - 1600).contains(&found), "{name}: {found}");
            // The resampler is at its end earlier.
            let same = audio.samples.iter().zip(&samples).take_while(|(a, b)| a == b).count();
            assert!(same > found - 500, "{name}: {same} of {found}");
        }
    }

    let whole = std::fs::read(fixture("tone.mka")).unwrap();
    let samples = read_bytes(whole.clone()).unwrap().samples;
    let cut = whole[..whole.len() * 8 / 10].to_vec();
    for audio in [read_bytes(cut.clone()), read_stream(Cursor::new(cut))] {
        let audio = audio.unwrap();
        let warning = audio.warning.unwrap();
        assert!(warning.contains("ends early, at 0."), "{warning}");
        assert!((1600..samples.len()).contains(&audio.samples.len()), "{warning}");
    }

    let mut mp3 = std::fs::read(fixture("tone.mp3")).unwrap();
    let middle = mp3.len() / 2;
    mp3[middle..middle + 40].fill(0x55);
    let audio = read_bytes(mp3).unwrap();
    assert!(audio.samples.len() > 4000);
}

/// The place and length of each packet of an MP4 file whose packets lie one after the other.
fn mp4_packets(file: &[u8]) -> Vec<(usize, usize)> {
    let find = |name: &[u8; 4]| file.windows(4).position(|bytes| bytes == name).unwrap() + 4;
    let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let (sizes, mut place) = (find(b"stsz"), find(b"mdat"));
    // Version and flags, the size of all packets if it is one, their number.
    (0..number(sizes + 8))
        .map(|n| {
            let len = number(sizes + 12 + 4 * n);
            place += len;
            (place - len, len)
        })
        .collect()
}

#[test]
fn he_aac_is_read_by_its_core() {
    let mut bytes = std::fs::read(fixture("tone.m4a")).unwrap();
    let samples = read_bytes(bytes.clone()).unwrap().samples;
    // AAC, 22.05 kHz, two channels, and that there is no treble.
    let plain = [0x13, 0x90, 0x56, 0xE5, 0];
    let at = bytes.windows(5).position(|bytes| bytes == plain).unwrap();
    let mut with = |bits: u32| {
        bytes[at..at + 4].copy_from_slice(&bits.to_be_bytes());
        bytes[at + 4] = 0;
        read_bytes(bytes.clone())
    };
    // HE-AAC of 44.1 kHz, of the first and second version.
    for kind in [5, 29] {
        let bits = kind << 27 | 7 << 23 | 2 << 19 | 4 << 15 | 2 << 10;
        let audio = with(bits).unwrap();
        assert_eq!(audio.warning, None);
        assert!(audio.samples == samples, "{kind}");
        // Short frames, another core, a rate that comes in full.
        for bits in [bits | 1 << 9, bits | 1 << 10, bits | 15 << 15] {
            assert!(with(bits).is_err(), "{kind}: {bits:x}");
        }
    }
}

#[test]
fn an_odd_packet_does_not_end_the_audio() {
    let whole = std::fs::read(fixture("tone.m4a")).unwrap();
    let len = read_bytes(whole.clone()).unwrap().samples.len();
    let packets = mp4_packets(&whole);
    // Elements of AAC for which there is no decoder: coupled channels, a program's configuration.
    for element in [2, 5] {
        for odd in [0, packets.len() / 2] {
            let mut bytes = whole.clone();
            bytes[packets[odd].0] = element << 5;
            let audio = read_bytes(bytes).unwrap();
            assert!(audio.samples.len() + 2 * 1024 > len, "{element}: {}", audio.samples.len());
            let warning = audio.warning.unwrap();
            assert!(warning.starts_with("a damaged packet left out at"), "{warning}");
        }
        let mut bytes = whole.clone();
        packets.iter().for_each(|&(place, _)| bytes[place] = element << 5);
        let error = refused(bytes).to_string();
        assert!(error.starts_with("damaged audio file: unsupported feature: aac"), "{error}");
    }
}

#[test]
fn what_comes_after_a_gap_keeps_its_time() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/yes-no.flac");
    let whole = std::fs::read(path).unwrap();
    let samples = read_bytes(whole.clone()).unwrap().samples;
    let mut cut = whole.clone();
    cut.drain(whole.len() / 2..whole.len() / 2 + 9000);
    let mut zeros = whole.clone();
    zeros[whole.len() / 2..whole.len() / 2 + 9000].fill(0);
    for bytes in [cut, zeros] {
        let audio = read_bytes(bytes.clone()).unwrap();
        let warning = audio.warning.unwrap();
        assert!(
            warning.contains("s of silence put in for missing audio, the first at"),
            "{warning}"
        );
        assert_eq!(audio.samples.len(), samples.len());
        let same = audio.samples.iter().rev().zip(samples.iter().rev()).take_while(|(a, b)| a == b);
        assert!(same.count() > SAMPLE_RATE, "{warning}");
        assert_eq!(read_stream(Cursor::new(bytes)).unwrap().samples, audio.samples);
    }
}

#[test]
fn a_bad_sample_ends_the_audio_after_what_comes_before() {
    for rate in [16_000, 48_000] {
        let bad = 30_000;
        let value = move |frame, _| if frame == bad { f64::NAN } else { sine(frame, rate) };
        let audio = read_bytes(wav(F32, rate, 1, 2 * bad, value)).unwrap();
        assert_eq!(audio.samples.len(), bad * SAMPLE_RATE / rate as usize);
        assert!(audio.samples.iter().all(|x| x.is_finite()));
        let warning = audio.warning.unwrap();
        assert!(
            warning.ends_with(": sample 30000 is NaN, infinite or absurdly large"),
            "{warning}"
        );
    }
}

#[test]
fn a_file_of_mostly_damaged_packets_is_refused() {
    let mut bytes = std::fs::read(fixture("tone.m4a")).unwrap();
    let packets = mp4_packets(&bytes);
    let (few, most) = (packets.len() / 2, packets.len() / 2 + 1);
    let mut damage = |from: usize, to: usize| {
        packets[from..to].iter().for_each(|&(place, _)| bytes[place] = 5 << 5);
        read_bytes(bytes.clone())
    };
    assert!(damage(0, few).is_ok());
    let error = damage(few, most).unwrap_err().to_string();
    let expected = format!("damaged audio file: {most} of {} packets cannot be", packets.len());
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn joined_mp3_files_are_read_to_the_end() {
    let one = std::fs::read(fixture("tone.mp3")).unwrap();
    let len = read_bytes(one.clone()).unwrap().samples.len();
    let audio = read_bytes([&one[..], &one, &one].concat()).unwrap();
    assert_eq!(audio.warning, None);
    // The encoder's delay and padding are trimmed of the first only.
    let frame = 2 * 1152 * SAMPLE_RATE / 22_050;
    let found = audio.samples.len();
    assert!((3 * len..3 * (len + frame)).contains(&found), "{found} samples of 3 times {len}");
}

/// An MP3 file without a header, of frames of silence of the given bit rates in kbit/s.
fn silent_mp3(rates: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let index = |rate| [32, 40, 48, 56, 64, 80, 96, 112, 128].iter().position(|&r| r == rate);
    let frame = |rate| {
        // MPEG 1, layer III, 32 kHz, one channel.
        let mut frame = vec![0xFF, 0xFB, (index(rate).unwrap() as u8 + 1) << 4 | 0x08, 0xC0];
        frame.resize(144 * rate / 32, 0);
        frame
    };
    rates.into_iter().flat_map(frame).collect()
}

#[test]
fn the_length_of_mp3_and_aac_is_not_guessed() {
    let (low, high) = ([32; 100], [128; 100]);
    for rates in [[low, high].concat(), [high, low].concat()] {
        let audio = read_bytes(silent_mp3(rates)).unwrap();
        assert_eq!(audio.warning, None);
        assert_eq!(audio.samples.len(), 200 * 1152 / 2);
    }
    // A name at the end of which nothing is decoded.
    let mut tagged = silent_mp3(low);
    tagged.extend(b"TAG".iter().chain(&[0; 125]));
    assert_eq!(read_bytes(tagged).unwrap().warning, None);
    // What a header states is still known before it is decoded.
    for name in ["tone.mp3", "tone.flac", "tone.adpcm.wav", "tone.aiff"] {
        let mut reader = Reader::open(&fixture(name)).unwrap();
        let stated = reader.total().unwrap();
        reader.window(0, 1 << 20);
        assert!(reader.len().abs_diff(stated) <= 1, "{name}: {stated}, {} found", reader.len());
    }
}

#[test]
fn no_prefix_and_no_flipped_byte_panics() {
    for name in [
        "tone.flac",
        "tone.mp3",
        "tone.ogg",
        "tone.m4a",
        "tone.front.m4a",
        "tone.fragments.m4a",
        "tone.mka",
        "tone.caf",
        "tone.aiff",
    ] {
        let whole = std::fs::read(fixture(name)).unwrap();
        for part in 0..64 {
            let _ = read_bytes(whole[..whole.len() * part / 64].to_vec());
            let mut flipped = whole.clone();
            flipped[part * whole.len() / 640] ^= 0x80;
            let _ = read_bytes(flipped);
        }
    }
}

/// An APE tag whose size leads to before the file's first byte.
#[test]
fn a_place_outside_the_file_is_damage_and_no_error_of_the_system() {
    let mut bytes = b"APETAGEX".to_vec();
    // Version, size, number of items, flags: a footer.
    bytes.extend([2000u32, 20_000, 1, 0].iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend([0; 4008]);
    for error in [read_bytes(bytes.clone()), read_stream(std::io::Cursor::new(bytes))] {
        assert!(matches!(error, Err(AudioError::Damaged(_))), "{error:?}");
    }
}

fn refused(bytes: Vec<u8>) -> AudioError {
    read_bytes(bytes).expect_err("the input is broken")
}

#[test]
fn what_is_not_supported_is_told_from_what_is_damaged_and_what_is_no_audio() {
    let gsm = wav((0x31, 16, I16.2), 16_000, 1, 100, |_, _| 0.0);
    let error = refused(gsm);
    assert!(matches!(error, AudioError::Unsupported(_)));
    assert_eq!(error.to_string(), "not supported: wav: unsupported wave format");
    // Its index comes last.
    let mut cut = std::fs::read(fixture("tone.m4a")).unwrap();
    cut.truncate(cut.len() / 2);
    let error = refused(cut).to_string();
    assert!(error.starts_with("damaged audio file: "), "{error}");
    let mut film = b"RIFF\0\x40\0\0AVI LIST".to_vec();
    film.resize(0x4000, 0xFF);
    assert!(matches!(refused(film), AudioError::NotAudio));
    let mut film = b"G@\0\x10".to_vec();
    film.resize(0x4000, 0xFF);
    assert!(matches!(refused(film), AudioError::NotAudio));
}

#[test]
fn unusable_input_is_refused_by_kind() {
    let tone = |rate| wav(F32, rate, 1, 100, |_, _| 0.0);
    let with = |at: usize, bad: f64| {
        wav(F32, 16_000, 2, 100, move |frame, _| if frame == at { bad } else { 0.0 })
    };
    assert!(matches!(refused(vec![]), AudioError::Empty));
    assert!(matches!(refused(wav(I16, 16_000, 1, 0, |_, _| 0.0)), AudioError::Empty));
    assert!(matches!(refused(b"call me Ishmael\n".repeat(9000)), AudioError::NotAudio));
    assert!(matches!(refused(tone(999)), AudioError::Rate(999)));
    assert!(matches!(refused(tone(768_001)), AudioError::Rate(768_001)));
    assert!(read_bytes(tone(1_000)).is_ok() && read_bytes(tone(768_000)).is_ok());
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.1e12] {
        assert!(matches!(refused(with(42, bad)), AudioError::Sample { index: 42 }), "{bad}");
    }
    assert!(read_bytes(with(42, 1e11)).is_ok());
    let opus = read_file(&fixture("tone.opus")).unwrap_err();
    assert!(matches!(opus, AudioError::Codec("Opus audio")), "{opus:?}");
    let film = read_file(&fixture("silent_film.mp4")).unwrap_err();
    assert!(matches!(film, AudioError::NoTrack), "{film:?}");
    let folder = read_file(&fixture(".")).unwrap_err();
    assert!(matches!(folder, AudioError::Io(_)), "{folder:?}");
}
