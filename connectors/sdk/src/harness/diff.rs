//! What differs between two values, line by line.

use serde::Serialize;

/// Unchanged lines shown around a change.
const AROUND: usize = 3;

/// Any value as readable JSON.
pub fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("types of the contract have a JSON form")
}

/// How two values differ.
pub fn json(expected: &impl Serialize, got: &impl Serialize) -> String {
    lines(&pretty(expected), &pretty(got))
}

/// `-` for lines of the first text alone, `+` for those of the second, blanks for common ones near them.
pub fn lines(first: &str, second: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (first.lines().collect(), second.lines().collect());
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
