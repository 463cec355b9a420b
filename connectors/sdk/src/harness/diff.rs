//! What differs between two values, line by line.

use serde::Serialize;
use serde_json::Value;

/// Unchanged lines shown around a change.
const AROUND: usize = 3;
/// Lines of either side that are compared: the table below has as many cells as both multiplied.
const LINES_MAX: usize = 1000;

/// Any value as readable JSON.
pub fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("types of the contract have a JSON form")
}

/// JSON pointer to the first place where two values differ; none where they do not, or differ as a whole.
pub fn first_difference(expected: &impl Serialize, got: &impl Serialize) -> Option<String> {
    let value = |result: serde_json::Result<Value>| result.expect("types of the contract have a JSON form");
    let mut pointer = String::new();
    descend(&value(serde_json::to_value(expected)), &value(serde_json::to_value(got)), &mut pointer);
    (!pointer.is_empty()).then_some(pointer)
}

/// Follows the first difference down. What one of the two lacks is named too.
fn descend(expected: &Value, got: &Value, pointer: &mut String) {
    let next = match (expected, got) {
        (Value::Object(left), Value::Object(right)) => {
            let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
            names
                .map(|name| (name.replace('~', "~0").replace('/', "~1"), left.get(name), right.get(name)))
                .find(|(_, old, new)| old != new)
        }
        (Value::Array(left), Value::Array(right)) => (0..left.len().max(right.len()))
            .map(|index| (index.to_string(), left.get(index), right.get(index)))
            .find(|(_, old, new)| old != new),
        _ => None,
    };
    if let Some((name, old, new)) = next {
        pointer.extend(["/", &name]);
        if let (Some(old), Some(new)) = (old, new) {
            descend(old, new, pointer);
        }
    }
}

/// `-` for lines of the first text alone, `+` for those of the second, blanks for common ones near them.
pub fn lines(first: &str, second: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) =
        (first.lines().take(LINES_MAX).collect(), second.lines().take(LINES_MAX).collect());
    let marked = marked(&old, &new);
    let mut shown = vec![false; marked.len()];
    for (at, _) in marked.iter().enumerate().filter(|(_, (mark, _))| *mark != ' ') {
        shown.iter_mut().skip(at.saturating_sub(AROUND)).take(AROUND * 2 + 1).for_each(|shown| *shown = true);
    }
    let mut out = String::new();
    let mut gap = false;
    for ((mark, line), shown) in marked.iter().zip(shown) {
        if shown {
            out.push_str(if gap { "  …\n" } else { "" });
            out.extend([mark.to_string().as_str(), " ", line, "\n"]);
        }
        gap = !shown;
    }
    out
}

/// Every line of both with its mark, by a longest common subsequence: values here have hundreds of lines, not more.
fn marked<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    // `common[i][j]`: how many lines the rests from `i` and `j` have in common.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    let at = |table: &[Vec<usize>], i: usize, j: usize| table.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    for (i, left) in old.iter().enumerate().rev() {
        for (j, right) in new.iter().enumerate().rev() {
            let length = if left == right {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    loop {
        match (old.get(i), new.get(j)) {
            (Some(left), Some(right)) if left == right => {
                out.push((' ', *left));
                (i, j) = (i + 1, j + 1);
            }
            (Some(left), right) if right.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                out.push(('-', *left));
                i += 1;
            }
            (_, Some(right)) => {
                out.push(('+', *right));
                j += 1;
            }
            (_, None) => return out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_surroundings_of_a_change_are_shown() {
        let first = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl";
        let second = "a\nb\nc\nd\ne\nF\ng\nh\ni\nj\nk\nl\nm";
        let expected = "  …\n  c\n  d\n  e\n- f\n+ F\n  g\n  h\n  i\n  j\n  k\n  l\n+ m\n";
        assert_eq!(lines(first, second), expected);
        assert_eq!(lines(first, first), "");
    }
}
