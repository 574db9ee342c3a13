//! Finding the files: folders, patterns, lists.
//!
//! Files that may belong to one case come as one unit: those of a small folder, and those of one name. It must not
//! open a file: what is in it is found out by a worker.
//!
//! Invariants: the order depends on the names alone; a link inside a folder is not followed, and a pipe or device is not
//! opened; everything that is found, but what was asked to be left out, and every path that is given, is in one unit.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, FileType, Metadata};
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use crate::limits;
use crate::report::triage::Attachment;

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Its path below the folder that was given; of a file that was given, the path itself.
    pub tree_path: PathBuf,
    /// What it is.
    pub kind: Kind,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file of so many bytes.
    File(u64),
    /// What is not opened, and why.
    Other(String),
}

/// Files that may belong to one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The files, in order.
    pub files: Vec<Found>,
}

impl Found {
    fn new(path: PathBuf, tree_path: PathBuf, kind: Kind) -> Self {
        Self { path, tree_path, kind }
    }

    /// What a record says of it.
    pub(super) fn attachment(&self) -> Attachment {
        let path = slashed(&self.path);
        let is_text = self.path.to_str().is_some();
        let bytes = || data_encoding::BASE64.encode(self.path.as_os_str().as_encoded_bytes());
        Attachment {
            path,
            path_bytes: (!is_text).then(bytes),
            tree_path: slashed(&self.tree_path),
            sha256: None,
            bytes: match self.kind {
                Kind::File(bytes) => Some(bytes),
                Kind::Other(_) => None,
            },
        }
    }

    /// What files of one case share: the name without its last endings.
    fn stem(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        stem(&name).to_owned()
    }
}

/// A name without its endings: that of a compression or of keys, and the one before.
pub(super) fn stem(name: &str) -> &str {
    const PACKED: &[&str] = &["bz2", "gz", "keylog", "keys", "xz", "zst"];
    let cut = |name: &'_ str| name.rsplit_once('.').map_or(name.len(), |(stem, _)| stem.len());
    let bare = match name.rsplit_once('.') {
        Some((bare, ending)) if PACKED.contains(&ending) => bare,
        _ => name,
    };
    bare.get(..cut(bare)).filter(|stem| !stem.is_empty()).unwrap_or(bare)
}

/// A path with `/` between its parts, on every system.
fn slashed(path: &Path) -> String {
    let text = path.to_string_lossy();
    if cfg!(windows) { text.replace('\\', "/") } else { text.into_owned() }
}

/// What was given: a path, or a list of them on a stream.
pub enum Given {
    /// A file, a folder, or a pattern for them.
    Path(PathBuf),
    /// Paths, one a line or parted by NUL.
    List(Box<dyn BufRead + Send>),
}

/// Finds units, one after the other, as they are asked for.
pub struct Finder {
    given: VecDeque<Given>,
    /// Folders that are still to be listed, the next one last.
    folders: Vec<Folder>,
    ready: VecDeque<Unit>,
    list: Option<List>,
    by_folder: bool,
    /// What was found already, where more than one path is given: they may overlap.
    seen: Option<HashSet<PathBuf>>,
    is_left_out: LeftOut,
}

/// Whether a file is none of those that were meant.
pub type LeftOut = Box<dyn Fn(&Path) -> bool + Send>;

struct Folder {
    path: PathBuf,
    tree_path: PathBuf,
}

impl Finder {
    /// Looks at what was given in its order; `by_folder` makes one unit of all files of a folder.
    pub fn new(given: impl IntoIterator<Item = Given>, by_folder: bool) -> Self {
        let given: VecDeque<Given> = given.into_iter().collect();
        let is_path = |one: &&Given| matches!(one, Given::Path(_));
        let seen = (given.iter().filter(is_path).count() > 1).then(HashSet::new);
        Self {
            given,
            seen,
            folders: Vec::new(),
            ready: VecDeque::new(),
            list: None,
            by_folder,
            is_left_out: Box::new(|_| false),
        }
    }

    /// The same without some of the files: those that the run itself writes to.
    #[must_use]
    pub fn without(mut self, is_left_out: LeftOut) -> Self {
        self.is_left_out = is_left_out;
        self
    }

    /// Takes a path that was given by name.
    fn take(&mut self, path: PathBuf) {
        // What is given by itself has the tree that its giver sees.
        let name = path.clone();
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                self.folders.push(Folder { path, tree_path: PathBuf::new() });
            }
            // A pattern that the shell resolved names them too.
            Ok(metadata) if metadata.is_file() && (self.is_left_out)(&path) => {}
            Ok(metadata) => {
                let kind = kind(&metadata);
                self.push(vec![Found::new(path, name, kind)]);
            }
            Err(error) => {
                // A list names files as they are.
                let matched = if self.list.is_some() { Vec::new() } else { matches(&path) };
                if matched.is_empty() {
                    self.push(vec![Found::new(path, name, unreachable_kind(&error))]);
                }
                // The last one that is pushed is listed first.
                for matched in matched.into_iter().rev() {
                    match matched {
                        Ok(path) => self.given.push_front(Given::Path(path)),
                        Err(error) => {
                            let path = error.path().to_owned();
                            let kind = unreachable_kind(error.error());
                            self.push(vec![Found::new(path.clone(), path, kind)]);
                        }
                    }
                }
            }
        }
    }

    fn push(&mut self, mut files: Vec<Found>) {
        if let Some(seen) = &mut self.seen {
            files.retain(|file| {
                let same = fs::canonicalize(&file.path);
                seen.insert(same.unwrap_or_else(|_| file.path.components().collect()))
            });
        }
        if !files.is_empty() {
            self.ready.push_back(Unit { files });
        }
    }

    /// Lists a folder: its files become units, its folders are listed next.
    fn list(&mut self, folder: &Folder) {
        let entries = fs::read_dir(&folder.path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                let kind = Kind::Other(format!("the folder cannot be read: {}", error.kind()));
                self.push(vec![Found::new(folder.path.clone(), folder.tree_path.clone(), kind)]);
                return;
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut files = Vec::new();
        let mut folders = Vec::new();
        for entry in entries {
            let tree_path = folder.tree_path.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    folders.push(Folder { path: entry.path(), tree_path });
                }
                Ok(kind) if kind.is_file() && (self.is_left_out)(&entry.path()) => {}
                Ok(kind) if kind.is_file() => {
                    let kind = match entry.metadata() {
                        Ok(metadata) => Kind::File(metadata.len()),
                        Err(error) => unreachable_kind(&error),
                    };
                    files.push(Found::new(entry.path(), tree_path, kind));
                }
                Ok(kind) => files.push(Found::new(entry.path(), tree_path, other(kind))),
                Err(error) => {
                    files.push(Found::new(entry.path(), tree_path, unreachable_kind(&error)));
                }
            }
        }
        folders.reverse();
        self.folders.append(&mut folders);
        self.part(files);
    }

    /// Makes units of the files of one folder.
    fn part(&mut self, files: Vec<Found>) {
        if self.by_folder {
            let size = if files.len() <= limits::TRIAGE_CASE { files.len() } else { 1 };
            let mut files = files.into_iter().peekable();
            while files.peek().is_some() {
                let unit = files.by_ref().take(size).collect();
                self.push(unit);
            }
            return;
        }
        if files.len() <= limits::TRIAGE_BESIDE {
            self.push(files);
            return;
        }
        // Sorted by name, those of one stem are neighbours or nearly so.
        let mut unit: Vec<Found> = Vec::new();
        for file in files {
            let goes_on = unit.first().is_some_and(|first| first.stem() == file.stem());
            if !goes_on || unit.len() >= limits::TRIAGE_BESIDE {
                let full = std::mem::take(&mut unit);
                self.push(full);
            }
            unit.push(file);
        }
        self.push(unit);
    }
}

impl Iterator for Finder {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        loop {
            if let Some(unit) = self.ready.pop_front() {
                return Some(unit);
            }
            if let Some(folder) = self.folders.pop() {
                self.list(&folder);
                continue;
            }
            if let Some(list) = &mut self.list {
                match list.next() {
                    Some(path) => self.take(path),
                    None => self.list = None,
                }
                continue;
            }
            match self.given.pop_front()? {
                Given::Path(path) => self.take(path),
                Given::List(stream) => self.list = Some(List::new(stream)),
            }
        }
    }
}

fn kind(metadata: &Metadata) -> Kind {
    if metadata.is_file() { Kind::File(metadata.len()) } else { other(metadata.file_type()) }
}

fn other(kind: FileType) -> Kind {
    Kind::Other(
        if kind.is_symlink() {
            "a link inside a folder is not followed; give what it leads to by its own path"
        } else {
            "neither a file nor a folder; save it to a file"
        }
        .to_owned(),
    )
}

fn unreachable_kind(error: &io::Error) -> Kind {
    Kind::Other(format!("could not be opened: {}", error.kind()))
}

/// The paths that a pattern stands for, sorted, and what could not be listed; for shells that leave that to the program.
fn matches(path: &Path) -> Vec<glob::GlobResult> {
    let Some(pattern) = path.to_str().filter(|text| text.contains(['*', '?', '['])) else {
        return Vec::new();
    };
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let Ok(paths) = glob::glob_with(pattern, options) else { return Vec::new() };
    paths.collect()
}

/// The byte order mark in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A list of paths on a stream, read as it comes.
struct List {
    stream: Box<dyn BufRead + Send>,
    /// What parts two paths, once that is known.
    mark: Option<u8>,
}

impl List {
    fn new(stream: Box<dyn BufRead + Send>) -> Self {
        Self { stream, mark: None }
    }

    /// A list that has a NUL in its first piece is parted by NUL: no path has one.
    fn mark(&mut self) -> u8 {
        if let Some(mark) = self.mark {
            return mark;
        }
        let piece = self.stream.fill_buf().unwrap_or_default();
        // What editors of Windows put in front of a text.
        let begin = usize::from(piece.starts_with(BOM)).saturating_mul(BOM.len());
        let mark = if piece.contains(&0) { 0 } else { b'\n' };
        self.stream.consume(begin);
        self.mark = Some(mark);
        mark
    }

    fn next(&mut self) -> Option<PathBuf> {
        let mark = self.mark();
        loop {
            let mut bytes = Vec::new();
            let limit = u64::try_from(limits::TRIAGE_PATH).unwrap_or(u64::MAX);
            let mut piece = io::Read::take(&mut self.stream, limit);
            // A list that breaks off is at its end.
            if piece.read_until(mark, &mut bytes).unwrap_or(0) == 0 {
                return None;
            }
            if bytes.last() == Some(&mark) {
                bytes.pop();
            }
            if mark == b'\n' && bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
            if !bytes.is_empty() {
                return Some(path_of(bytes));
            }
        }
    }
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(finder: Finder) -> Vec<Vec<String>> {
        finder.map(|unit| unit.files.iter().map(|one| slashed(&one.tree_path)).collect()).collect()
    }

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        folder
    }

    #[test]
    fn folders_are_walked_in_the_order_of_names() {
        let folder = tree(&["b/2.har", "b/1.pcap", "a.txt", "b/c/x", "a/y"]);
        let found = names(Finder::new([Given::Path(folder.path().into())], false));
        assert_eq!(found, [vec!["a.txt"], vec!["a/y"], vec!["b/1.pcap", "b/2.har"], vec!["b/c/x"]]);
    }

    #[test]
    fn in_a_large_folder_only_one_name_stays_together() {
        let mut all: Vec<String> =
            (0..limits::TRIAGE_BESIDE).map(|n| format!("t{n}.har")).collect();
        all.extend(["t1.pcapng".to_owned(), "t1.pcapng.gz".to_owned()]);
        let folder = tree(&all.iter().map(String::as_str).collect::<Vec<_>>());
        let found = names(Finder::new([Given::Path(folder.path().into())], false));
        assert!(found.contains(&vec!["t1.har".into(), "t1.pcapng".into(), "t1.pcapng.gz".into()]));
        assert_eq!(found.iter().map(Vec::len).sum::<usize>(), all.len());
        let whole = names(Finder::new([Given::Path(folder.path().into())], true));
        assert_eq!(whole.len(), 1);
    }

    #[test]
    fn what_is_missing_is_found_as_missing() {
        let found: Vec<Unit> = Finder::new([Given::Path("no/such/file".into())], false).collect();
        assert!(matches!(&found[0].files[0].kind, Kind::Other(why) if why.contains("not found")));
    }

    #[cfg(unix)]
    #[test]
    fn links_and_pipes_are_told_and_left() {
        let folder = tree(&["a.har"]);
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        let found: Vec<Unit> = Finder::new([Given::Path(folder.path().into())], false).collect();
        assert_eq!(found[0].files[0].kind, Kind::File(5));
        assert!(matches!(&found[0].files[1].kind, Kind::Other(why) if why.contains("link")));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn patterns_are_for_shells_that_have_none() {
        let folder = tree(&["b.har", "a.har", "c.txt", "[x].har"]);
        let pattern = folder.path().join("?.har");
        let ends = |path: PathBuf| -> Vec<String> {
            let found = names(Finder::new([Given::Path(path)], false)).concat();
            found.iter().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect()
        };
        assert_eq!(ends(pattern), ["a.har", "b.har"]);
        // A file is taken before a pattern.
        assert_eq!(ends(folder.path().join("[x].har")), ["[x].har"]);
    }

    #[test]
    fn a_file_that_is_given_twice_is_found_once() {
        let folder = tree(&["a/b.har", "c.har"]);
        let given = ["a", "c.har", "a/b.har", "a/./b.har", "."];
        let given = given.map(|name| Given::Path(folder.path().join(name)));
        let found = names(Finder::new(given, false));
        assert_eq!((found.len(), found[0][0].as_str()), (2, "b.har"));
        assert!(found[1][0].ends_with("/c.har"));
    }

    #[test]
    fn lists_have_lines_or_nul() {
        let listed = |text: &'static [u8]| {
            let mut list = List::new(Box::new(text));
            std::iter::from_fn(move || list.next())
                .map(|path| path.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(listed(b"a\r\n\nb c\nd"), ["a", "b c", "d"]);
        assert_eq!(listed(b"\xef\xbb\xbfa\n"), ["a"]);
        assert_eq!(listed(b"a\nb\0c\0"), ["a\nb", "c"]);
        assert!(listed(b"").is_empty());
    }

    #[test]
    fn stems_drop_what_a_format_adds() {
        assert_eq!(stem("trace.har"), "trace");
        assert_eq!(stem("trace.pcapng.gz"), "trace");
        assert_eq!(stem("trace.pcap.keylog"), "trace");
        assert_eq!(stem("trace.keys"), "trace");
        assert_eq!(stem("a.b.saz"), "a.b");
        assert_eq!(stem(".hidden"), ".hidden");
        assert_eq!(stem("plain"), "plain");
    }
}
