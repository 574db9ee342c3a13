//! One table as a Parquet file: columns are filled row by row and written group by group.
//!
//! The low-level writers of the crate `parquet` are used, so that none of the Arrow crates is needed. It must
//! not know what the columns mean.
//!
//! Invariants: what waits to be written is bounded by rows and by bytes; every column of a group has as many rows as the
//! others; equal rows give equal bytes, whatever the clock says.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::report::triage::Record;

/// Rows of a group.
const ROWS: usize = 32_768;
/// Bytes of a group before they are encoded and compressed; four tables have as many each.
const BYTES: usize = 8 << 20;
/// Bytes that a text costs beside its own.
const TEXT: usize = size_of::<ByteArray>();

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Flag,
    Number,
    Text,
    /// Microseconds since 1970-01-01 UTC.
    Time,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    value: Value,
    is_list: bool,
    is_nullable: bool,
}

impl Kind {
    pub(super) const FLAG: Self = Self::one(Value::Flag);
    pub(super) const NUMBER: Self = Self::one(Value::Number);
    pub(super) const NUMBERS: Self = Self::NUMBER.listed();
    pub(super) const TEXT: Self = Self::one(Value::Text);
    pub(super) const TEXTS: Self = Self::TEXT.listed();
    pub(super) const TIME: Self = Self::one(Value::Time);

    const fn one(value: Value) -> Self {
        Self { value, is_list: false, is_nullable: false }
    }

    const fn listed(self) -> Self {
        Self { is_list: true, ..self }
    }

    /// The same, where it may be null.
    pub(super) const fn or_null(self) -> Self {
        Self { is_nullable: true, ..self }
    }

    /// The level of definition of a value that is there.
    const fn level(self) -> i16 {
        let nullable = if self.is_nullable { 1 } else { 0 };
        if self.is_list { nullable + 1 } else { nullable }
    }

    /// The column in the schema; a list has the three levels that the format asks for.
    fn schema(self, name: &str) -> Result<TypePtr> {
        let repetition = if self.is_nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        if !self.is_list {
            return self.primitive(name, repetition);
        }
        let element = self.primitive("element", Repetition::REQUIRED)?;
        let list = Type::group_type_builder("list")
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![element])
            .build()?;
        let column = Type::group_type_builder(name)
            .with_repetition(repetition)
            .with_logical_type(Some(LogicalType::List))
            .with_fields(vec![Arc::new(list)])
            .build()?;
        Ok(Arc::new(column))
    }

    fn primitive(self, name: &str, repetition: Repetition) -> Result<TypePtr> {
        let (physical, logical) = match self.value {
            Value::Flag => (Physical::BOOLEAN, None),
            Value::Number => (Physical::INT64, None),
            Value::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Value::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        };
        let column = Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()?;
        Ok(Arc::new(column))
    }
}

/// What stands in one column of one row.
#[derive(Clone, Debug)]
pub(super) enum Cell<'a> {
    Flag(bool),
    Null,
    Number(i64),
    Numbers(&'a [u32]),
    Shared(&'a ByteArray),
    Text(&'a str),
    Texts(Vec<&'a str>),
}

impl From<bool> for Cell<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u16> for Cell<'_> {
    fn from(number: u16) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<u32> for Cell<'_> {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<u64> for Cell<'_> {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Vec<String>> for Cell<'a> {
    fn from(texts: &'a Vec<String>) -> Self {
        Self::Texts(texts.iter().map(String::as_str).collect())
    }
}

impl<'a> From<&'a Vec<u32>> for Cell<'a> {
    fn from(numbers: &'a Vec<u32>) -> Self {
        Self::Numbers(numbers)
    }
}

impl<T> From<Option<T>> for Cell<'_>
where
    Self: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

impl<'a> From<&'a Option<String>> for Cell<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::from(text.as_deref())
    }
}

/// A column: its name, what stands in it, and where that comes from.
pub(super) struct Column<T> {
    pub(super) name: &'static str,
    kind: Kind,
    cell: for<'a> fn(&'a Record, &'a T) -> Cell<'a>,
}

impl<T> Column<T> {
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        cell: for<'a> fn(&'a Record, &'a T) -> Cell<'a>,
    ) -> Self {
        Self { name, kind, cell }
    }
}

/// The columns that every table begins with: by them the tables are joined.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) capture_id: ByteArray,
    pub(super) path: ByteArray,
    pub(super) member: Option<ByteArray>,
}

/// Their names.
const KEY: [(&str, Kind); 3] =
    [("capture_id", Kind::TEXT), ("path", Kind::TEXT), ("member", Kind::TEXT.or_null())];

impl Key {
    fn cells(&self) -> [Cell<'_>; 3] {
        let member = self.member.as_ref().map_or(Cell::Null, Cell::Shared);
        [Cell::Shared(&self.capture_id), Cell::Shared(&self.path), member]
    }
}

enum Values {
    Flags(Vec<bool>),
    Numbers(Vec<i64>),
    Texts(Vec<ByteArray>),
}

/// What of a column waits to be written.
struct Waiting {
    name: &'static str,
    kind: Kind,
    values: Values,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

impl Waiting {
    fn new(name: &'static str, kind: Kind) -> Self {
        let values = match kind.value {
            Value::Flag => Values::Flags(Vec::new()),
            Value::Number | Value::Time => Values::Numbers(Vec::new()),
            Value::Text => Values::Texts(Vec::new()),
        };
        Self { name, kind, values, definitions: Vec::new(), repetitions: Vec::new() }
    }

    /// Adds a cell and says how many bytes it holds; one of another kind is a fault of the table.
    fn push(&mut self, cell: &Cell<'_>) -> Result<usize> {
        let level = self.kind.level();
        if self.kind.is_list {
            let length = match cell {
                Cell::Null if self.kind.is_nullable => return Ok(self.mark(0, 0)),
                Cell::Numbers(all) => all.len(),
                Cell::Texts(all) => all.len(),
                _ => return Err(self.misfit(cell)),
            };
            if length == 0 {
                return Ok(self.mark(level.saturating_sub(1), 0));
            }
            let mut bytes = 0;
            for index in 0..length {
                bytes += self.mark(level, i16::from(index > 0));
            }
            return Ok(bytes + self.values(cell)?);
        }
        if matches!(cell, Cell::Null) && self.kind.is_nullable {
            return Ok(self.mark(0, 0));
        }
        Ok(self.mark(level, 0) + self.values(cell)?)
    }

    fn mark(&mut self, definition: i16, repetition: i16) -> usize {
        if self.kind.level() > 0 {
            self.definitions.push(definition);
        }
        if self.kind.is_list {
            self.repetitions.push(repetition);
        }
        size_of::<[i16; 2]>()
    }

    fn values(&mut self, cell: &Cell<'_>) -> Result<usize> {
        let text = |text: &str| ByteArray::from(text.as_bytes());
        Ok(match (&mut self.values, cell, self.kind.is_list) {
            (Values::Flags(all), Cell::Flag(flag), false) => {
                all.push(*flag);
                size_of::<bool>()
            }
            (Values::Numbers(all), Cell::Number(number), false) => {
                all.push(*number);
                size_of::<i64>()
            }
            (Values::Numbers(all), Cell::Numbers(numbers), true) => {
                all.extend(numbers.iter().copied().map(i64::from));
                size_of::<i64>() * numbers.len()
            }
            (Values::Texts(all), Cell::Text(one), false) => {
                all.push(text(one));
                TEXT + one.len()
            }
            (Values::Texts(all), Cell::Shared(one), false) => {
                all.push((*one).clone());
                TEXT
            }
            (Values::Texts(all), Cell::Texts(texts), true) => {
                all.extend(texts.iter().copied().map(text));
                texts.iter().map(|one| TEXT + one.len()).sum()
            }
            _ => return Err(self.misfit(cell)),
        })
    }

    fn misfit(&self, cell: &Cell<'_>) -> ParquetError {
        ParquetError::General(format!("{}: {cell:?} is not {:?}", self.name, self.kind))
    }

    /// Writes what waits, and forgets it.
    fn write(&mut self, mut column: SerializedColumnWriter<'_>) -> Result<()> {
        let definitions = (self.kind.level() > 0).then_some(&*self.definitions);
        let repetitions = self.kind.is_list.then_some(&*self.repetitions);
        match &self.values {
            Values::Flags(all) => {
                column.typed::<BoolType>().write_batch(all, definitions, repetitions)?
            }
            Values::Numbers(all) => {
                column.typed::<Int64Type>().write_batch(all, definitions, repetitions)?
            }
            Values::Texts(all) => {
                column.typed::<ByteArrayType>().write_batch(all, definitions, repetitions)?
            }
        };
        column.close()?;
        *self = Self::new(self.name, self.kind);
        Ok(())
    }
}

/// A table that is being written.
pub(super) struct Table<W: Write + Send, T: 'static> {
    columns: &'static [Column<T>],
    waiting: Vec<Waiting>,
    rows: usize,
    bytes: usize,
    writer: SerializedFileWriter<W>,
}

impl<W: Write + Send, T> Table<W, T> {
    /// A table without rows.
    pub(super) fn new(name: &'static str, columns: &'static [Column<T>], into: W) -> Result<Self> {
        let key = KEY.into_iter();
        let all: Vec<_> =
            key.chain(columns.iter().map(|column| (column.name, column.kind))).collect();
        let fields: Result<Vec<_>> = all.iter().map(|(name, kind)| kind.schema(name)).collect();
        let schema = Type::group_type_builder(name).with_fields(fields?).build()?;
        let properties = WriterProperties::builder()
            .set_created_by(concat!("mfatrace version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .build();
        Ok(Self {
            columns,
            waiting: all.into_iter().map(|(name, kind)| Waiting::new(name, kind)).collect(),
            rows: 0,
            bytes: 0,
            writer: SerializedFileWriter::new(into, Arc::new(schema), Arc::new(properties))?,
        })
    }

    /// Adds a row, and writes a group where one is full.
    pub(super) fn add(&mut self, key: &Key, record: &Record, row: &T) -> Result<()> {
        let cells = self.columns.iter().map(|column| (column.cell)(record, row));
        for (waiting, cell) in self.waiting.iter_mut().zip(key.cells().into_iter().chain(cells)) {
            self.bytes += waiting.push(&cell)?;
        }
        self.rows += 1;
        if self.rows >= ROWS || self.bytes >= BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for waiting in &mut self.waiting {
            let Some(column) = group.next_column()? else { break };
            waiting.write(column)?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    /// Writes what waits and the end of the file, and gives back what was written into.
    pub(super) fn finish(mut self) -> Result<W> {
        self.flush()?;
        self.writer.into_inner()
    }
}
