//! Reading CSV as RFC 4180 has it: what most settlement files come as.

use crate::types::Failure;

/// A CSV text, read record by record. Its first record names the columns, in any order.
///
/// ```
/// use interlock_connector::csv::Table;
///
/// let (table, records) = Table::read(b"id,amount\r\nch_1,12.50\r\n").unwrap();
/// let record = records.into_iter().next().unwrap();
/// assert_eq!(table.field(&record, "amount"), Some("12.50"));
/// ```
pub struct Table {
    columns: Vec<String>,
}

/// The fields of one record, and the line that it begins in, counted from 1.
pub struct Record {
    /// For messages about what cannot be read.
    pub line: usize,
    /// In the file's order.
    pub fields: Vec<String>,
}

impl Table {
    /// The columns and all records after them. Empty lines are left out. A failure for what is no UTF-8, for a quote that
    /// does not end, and for a record with another number of fields than there are columns: half a file must not look
    /// like a whole one.
    pub fn read(file: &[u8]) -> Result<(Self, Vec<Record>), Failure> {
        let mut records = records(file)?;
        if records.is_empty() {
            return Err(Failure::new("the file does not name its columns"));
        }
        let columns = records.remove(0).fields;
        match records.iter().find(|record| record.fields.len() != columns.len()) {
            Some(record) => Err(record.unreadable()),
            None => Ok((Self { columns }, records)),
        }
    }

    /// Whether there is such a column.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|known| known == column)
    }

    /// The record's field in that column; none where there is no such column, and where the field is empty.
    #[must_use]
    pub fn field<'a>(&self, record: &'a Record, column: &str) -> Option<&'a str> {
        let at = self.columns.iter().position(|known| known == column)?;
        record.fields.get(at).map(String::as_str).filter(|field| !field.is_empty())
    }
}

impl Record {
    /// That it cannot be read, without what it says.
    #[must_use]
    pub fn unreadable(&self) -> Failure {
        Failure::new(["line ", &self.line.to_string(), " of the file cannot be read"].concat())
    }
}

/// Every record of a file that may have several kinds of them, each as long as it wants to be. Empty lines are left out. A
/// field in quotes may hold commas, line ends, and quotes that are doubled. A failure for what is no UTF-8, and for a quote
/// that does not end.
pub fn records(file: &[u8]) -> Result<Vec<Record>, Failure> {
    let text = str::from_utf8(file).map_err(|_| Failure::new("the file is not UTF-8"))?;
    let mut records = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut line = 1;
    while !rest.is_empty() {
        let mut record = Record { line, fields: Vec::new() };
        loop {
            let (field, after) = field(rest).ok_or_else(|| record.unreadable())?;
            record.fields.push(field);
            let read = rest.len() - after.len();
            line += rest.get(..read).unwrap_or_default().matches('\n').count();
            rest = after;
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = match rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')) {
            Some(more) => more,
            None if rest.is_empty() => rest,
            None => return Err(record.unreadable()),
        };
        line += 1;
        if record.fields.iter().any(|field| !field.is_empty()) {
            records.push(record);
        }
    }
    Ok(records)
}

/// The first field, and what follows it.
fn field(text: &str) -> Option<(String, &str)> {
    let Some(mut quoted) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let end = if text.get(..end)?.ends_with('\r') { end - 1 } else { end };
        let (field, after) = text.split_at(end);
        return (!field.contains('"')).then(|| (field.to_owned(), after));
    };
    let mut field = String::new();
    loop {
        let (part, after) = quoted.split_once('"')?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                quoted = more;
            }
            None => return Some((field, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
        let (_, records) = Table::read(text.as_bytes()).map_err(|failure| failure.message)?;
        Ok(records.into_iter().map(|record| (record.line, record.fields)).collect())
    }

    #[test]
    fn fields_may_hold_what_separates_them() {
        let text = "\u{feff}a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n\r\n,2\n\"\",\"3\"";
        let expected = vec![
            (2, vec!["1".to_owned(), "x, \"y\"\nz".to_owned()]),
            (5, vec![String::new(), "2".to_owned()]),
            (6, vec![String::new(), "3".to_owned()]),
        ];
        assert_eq!(read(text).unwrap(), expected);
    }

    /// Anything that may be half a file, or no CSV.
    #[test]
    fn what_is_not_whole_is_refused() {
        let cases = [
            ("", "the file does not name its columns"),
            ("\n\n", "the file does not name its columns"),
            ("a,b\n1", "line 2 of the file cannot be read"),
            ("a,b\n1,2,3\n", "line 2 of the file cannot be read"),
            ("a,b\n1,\"2", "line 2 of the file cannot be read"),
            ("a,b\n1,2\"\n", "line 2 of the file cannot be read"),
            ("a,b\n1,\"2\"3\n", "line 2 of the file cannot be read"),
        ];
        for (text, why) in cases {
            assert_eq!(read(text).unwrap_err(), why, "{text:?}");
        }
        assert!(Table::read(b"a\xff").is_err());
    }

    #[test]
    fn records_may_be_of_several_lengths() {
        let found = records(b"\"RH\",1,2\r\n\"SB\",\"a\nb\"\n\n\"FF\",1\n").unwrap();
        let found: Vec<_> = found.into_iter().map(|record| (record.line, record.fields.join("|"))).collect();
        assert_eq!(found, [(1, "RH|1|2".to_owned()), (2, "SB|a\nb".to_owned()), (5, "FF|1".to_owned())]);
    }

    #[test]
    fn columns_are_found_by_name() {
        let (table, records) = Table::read(b"id,amount\nch_1,\n").unwrap();
        let fields = ["id", "amount", "other"].map(|column| table.field(&records[0], column));
        assert_eq!(fields, [Some("ch_1"), None, None]);
        assert!(table.has("amount") && !table.has("other"));
    }
}
