//! What is printed at the end, and the same as JSON.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::machine::Machine;

/// All of it.
pub struct Report {
    began: DateTime<Utc>,
    machine: Machine,
    sections: Vec<Section>,
    aims: Vec<Aim>,
    notes: Vec<String>,
}

/// One measure as a table.
pub struct Section {
    pub title: &'static str,
    /// What one must know to read it.
    pub about: String,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
    /// The same for machines.
    pub data: Value,
}

/// Something that was to be reached.
pub struct Aim {
    pub what: String,
    pub wanted: String,
    pub figure: String,
    pub met: bool,
}

impl Report {
    /// An empty one.
    pub fn new(began: DateTime<Utc>, machine: Machine) -> Self {
        let notes = machine.doubts();
        Self { began, machine, sections: Vec::new(), aims: Vec::new(), notes }
    }

    /// Adds a table.
    pub fn section(&mut self, section: Section) {
        self.sections.push(section);
    }

    /// Adds a line to the aims.
    pub fn aim(&mut self, what: impl Into<String>, wanted: impl Into<String>, figure: impl Into<String>, met: bool) {
        self.aims.push(Aim { what: what.into(), wanted: wanted.into(), figure: figure.into(), met });
    }

    /// Adds what one must know about the whole run.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The disk's figure at the end: it may have changed meanwhile.
    pub fn disk_after(&mut self, syncs: Option<f64>) {
        let [_, after] = &mut self.machine.disk;
        *after = syncs;
    }

    /// For people.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("\n# Interlock, measured {}\n", self.began.format("%Y-%m-%d %H:%M UTC"));
        text.push_str(&table(&["machine", ""], &self.machine.rows()));
        for note in &self.notes {
            push(&mut text, format_args!("\n**Mind:** {note}.\n"));
        }
        for section in &self.sections {
            push(&mut text, format_args!("\n## {}\n{}\n", section.title, section.about));
            text.push_str(&table(&section.columns, &section.rows));
        }
        let rows: Vec<Vec<String>> = self
            .aims
            .iter()
            .map(|aim| {
                let met = if aim.met { "met" } else { "**not met**" };
                vec![aim.what.clone(), aim.wanted.clone(), aim.figure.clone(), met.to_owned()]
            })
            .collect();
        text.push_str("\n## Aims\n");
        text.push_str(&table(&["what", "aim", "here", ""], &rows));
        text
    }

    /// For machines.
    pub fn to_json(&self) -> Value {
        let sections: serde_json::Map<String, Value> =
            self.sections.iter().map(|section| (section.title.to_owned(), section.data.clone())).collect();
        let aims: Vec<Value> = self
            .aims
            .iter()
            .map(|aim| json!({ "what": aim.what, "aim": aim.wanted, "figure": aim.figure, "met": aim.met }))
            .collect();
        json!({
            "began": self.began.to_rfc3339(), "machine": self.machine.to_json(), "notes": self.notes,
            "measures": sections, "aims": aims,
        })
    }
}

/// Adds to a text, which cannot fail.
fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    use std::fmt::Write as _;

    let _ = text.write_fmt(what);
}

/// A table that can be read as it is, and as markdown.
fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
            cells.chain([column.chars().count()]).max().unwrap_or_default()
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = "|".to_owned();
        for (cell, width) in cells.zip(&widths) {
            push(&mut text, format_args!(" {cell:<width$} |"));
        }
        text.push('\n');
        text
    };
    let mut text = line(&mut columns.iter().copied());
    text.push('|');
    for width in &widths {
        push(&mut text, format_args!("{}|", "-".repeat(width + 2)));
    }
    text.push('\n');
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_stand_under_each_other() {
        let shown = table(&["a", "long"], &[vec!["ä2".into(), "1".into()]]);
        assert_eq!(shown, "| a  | long |\n|----|------|\n| ä2 | 1    |\n");
    }
}
