//! Any bytes as a container, read through every view of every entry.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::container::Container;
use trit_fuzz::model_file::ModelFile;

fuzz_target!(|data: &[u8]| {
    let file = ModelFile::sealed(data);
    let Ok(container) = Container::open(file.bytes()) else { return };
    assert_eq!(container.file_len(), file.bytes().len());
    let whole = container.verify();
    let mut each = Ok(());
    for (index, entry) in container.entries().enumerate() {
        assert_eq!(container.find(entry.name()), Ok(index));
        // Reading the last weight and scale reads to the end of both.
        if let Ok(matrix) = entry.ternary() {
            let (row, input) = (matrix.rows() - 1, matrix.k() - 1);
            assert!((-1..=2).contains(&matrix.weight(row, input)));
            let _ = matrix.scale(row, input);
        }
        if let Ok(matrix) = entry.int4() {
            let (row, input) = (matrix.rows() - 1, matrix.k() - 1);
            assert!((-8..=7).contains(&matrix.weight(row, input)));
            let _ = matrix.scale(row, input);
        }
        if let Ok(matrix) = entry.int8() {
            assert_eq!(matrix.row(matrix.rows() - 1).len(), matrix.k());
            assert!(matrix.scales().len() >= matrix.rows());
        }
        if let Ok(matrix) = entry.f16() {
            assert_eq!(matrix.values().len(), matrix.rows() * matrix.k());
        }
        if let Ok(matrix) = entry.f32() {
            assert_eq!(matrix.values().len(), matrix.rows() * matrix.k());
        }
        if let Ok(bytes) = entry.bytes() {
            assert!(bytes.len() <= entry.stored_len());
        }
        each = each.and(entry.verify());
    }
    assert_eq!(whole, each);
});
