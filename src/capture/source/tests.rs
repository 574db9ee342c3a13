//! Sources of every kind, read in every way.

use super::*;
use crate::limits;

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

struct Slow(Vec<u8>);

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(byte) = (!self.0.is_empty()).then(|| self.0.remove(0)) else { return Ok(0) };
        buffer[0] = byte;
        Ok(1)
    }
}

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn peeks_reads_and_counts() {
    let (_folder, path) = file(b"abcdef");
    let all = [
        Source::file(&path).unwrap(),
        Source::bytes(b"abcdef".to_vec()),
        Source::stream(Box::new(Slow(b"abcdef".to_vec()))),
    ];
    for mut source in all {
        assert_eq!(source.peek(2).unwrap(), b"ab");
        assert_eq!(source.peek(100).unwrap(), b"abcdef");
        assert_eq!(source.offset(), 0);
        let mut two = [0; 2];
        source.read_exact(&mut two).unwrap();
        assert_eq!((&two, source.offset()), (b"ab", 2));
        let mut rest = Vec::new();
        source.read_to_end(&mut rest).unwrap();
        assert_eq!((rest.as_slice(), source.offset()), (b"cdef".as_slice(), 6));
    }
}

#[test]
fn a_folder_is_called_one_on_every_system() {
    let folder = tempfile::tempdir().unwrap();
    let error = Source::file(folder.path()).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
}

#[test]
fn hashes_the_whole_whatever_was_read() {
    let (_folder, path) = file(b"abc");
    let all = || {
        [
            Source::file(&path).unwrap().with_hash(),
            Source::bytes(b"abc".to_vec()).with_hash(),
            Source::stream(Box::new(Slow(b"abc".to_vec()))).with_hash(),
        ]
    };
    for mut source in all() {
        source.peek(1).unwrap();
        source.read_exact(&mut [0]).unwrap();
        assert_eq!(source.finish_hash().as_deref(), Some(ABC));
        assert_eq!(source.size(), 3);
    }
    for mut source in all() {
        source.peek(2).unwrap();
        let reader = source.seekable(10).unwrap();
        reader.seek(SeekFrom::Start(2)).unwrap();
        let mut last = String::new();
        reader.read_to_string(&mut last).unwrap();
        assert_eq!(last, "c");
        assert_eq!(source.finish_hash().as_deref(), Some(ABC));
    }
    assert_eq!(Source::bytes(vec![1]).finish_hash(), None);
}

#[test]
fn bounds_hold() {
    let mut source = Source::bytes(vec![0; 10]);
    let error = source.seekable(9).err().unwrap();
    assert_eq!(StreamError::of(&error), Some(StreamError::TooLong));
    let mut source = Source::stream(Box::new(Slow(vec![0; 10]))).with_limit(Some(4)).with_hash();
    assert_eq!(io::copy(&mut source, &mut io::sink()).unwrap(), 4);
    assert!(source.is_limited());
    assert_eq!(source.finish_hash(), None);
}

#[test]
fn what_came_before_an_error_is_given() {
    let broken = Broken::new(&StreamError::Damaged.into());
    let mut source = Source::stream(Box::new(b"abc".as_slice().chain(broken)));
    let mut read = Vec::new();
    let error = source.read_to_end(&mut read).unwrap_err();
    assert_eq!(read, b"abc");
    assert_eq!(StreamError::of(&error), Some(StreamError::Damaged));
    let again = source.read(&mut [0]).unwrap_err();
    assert_eq!(StreamError::of(&again), Some(StreamError::Damaged));
}

#[test]
fn what_came_is_read_once_more() {
    let stream = |kept: &Kept| Source::stream(Box::new(Slow(b"abc".to_vec()))).keeping(kept);
    let kept = Kept::new();
    assert_eq!(stream(&kept).seekable(10).unwrap().read(&mut [0; 2]).unwrap(), 2);
    let mut again = kept.source().with_hash();
    assert_eq!((again.length(), again.peek(9).unwrap()), (Some(3), b"abc".as_slice()));
    assert_eq!(again.finish_hash().as_deref(), Some(ABC));

    let kept = Kept::new();
    let mut first = stream(&kept).with_chunk(2);
    first.peek(1).unwrap();
    assert_eq!(io::copy(&mut first, &mut io::sink()).unwrap(), 3);
    assert!(kept.is_whole());
    let mut again = kept.source().with_hash();
    assert_eq!(again.peek(9).unwrap(), b"abc".as_slice());
    assert_eq!((again.finish_hash().as_deref(), again.size()), (Some(ABC), 3));
    assert!(!kept.is_whole(), "its memory was given back");
    assert!(kept.source().peek(1).unwrap().is_empty());

    let (_folder, path) = file(b"abc");
    assert!(stream(&kept).is_once() && !Source::file(&path).unwrap().is_once());
    assert!(!Source::bytes(b"abc".to_vec()).is_once());
}

#[test]
fn what_would_not_come_again_as_it_came_is_not_kept() {
    let stream = |kept: &Kept| Source::stream(Box::new(Slow(b"abc".to_vec()))).keeping(kept);
    let kept = Kept::new();
    assert!(stream(&kept).with_limit(Some(2)).seekable(10).is_ok());
    assert!(!kept.is_whole(), "held and cut");
    let kept = Kept::new();
    io::copy(&mut stream(&kept).with_limit(Some(2)), &mut io::sink()).unwrap();
    assert!(!kept.is_whole(), "cut");
    let kept = Kept::new();
    let broken = Broken::new(&StreamError::Damaged.into());
    let mut broken = Source::stream(Box::new(b"abc".as_slice().chain(broken))).keeping(&kept);
    assert!(io::copy(&mut broken, &mut io::sink()).is_err() && !kept.is_whole());
    let kept = Kept::new();
    assert!(stream(&kept).seekable(2).is_err() && !kept.is_whole(), "too long");
}

#[test]
fn what_is_kept_of_several_streams_is_bounded() {
    let copy = |kept: &Kept, length: u64| {
        let mut source = Source::stream(Box::new(io::repeat(7).take(length))).keeping(kept);
        assert_eq!(io::copy(&mut source, &mut io::sink()).unwrap(), length);
        kept.is_whole()
    };
    let (one, length) = (Kept::new(), limits::KEPT / 2 + 1);
    assert!(copy(&one, length));
    let two = one.another();
    assert!(!copy(&two, length), "there is no room for both");
    let three = one.another();
    assert!(copy(&three, length - 2), "what was given up left its room");
    assert!(!copy(&Kept::new(), limits::KEPT + 1));
    let mut again = one.source();
    assert_eq!(io::copy(&mut again, &mut io::sink()).unwrap(), length);
}
