//! Names that are spelt alike.

/// Names listed at most.
const LISTED_MAX: usize = 3;

/// Longer names are not compared.
const NAME_MAX: usize = 96;

/// The candidates that are nearest to `name`, the nearest first: those that
/// differ by case and separators only, then those that differ by a few letters.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Vec<&'a str> {
    let wanted = letters(name);
    if wanted.is_empty() || wanted.len() > NAME_MAX {
        return Vec::new();
    }
    let most = (wanted.len() / 4).clamp(1, 3);
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= NAME_MAX)
        .filter_map(|candidate| Some((distance(&wanted, &letters(candidate), most)?, candidate)))
        .collect();
    found.sort_unstable();
    found.into_iter().take(LISTED_MAX).map(|(_, candidate)| candidate).collect()
}

/// What is left of a name without case and separators.
fn letters(name: &str) -> Vec<char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Letters inserted, left out, replaced or swapped with their neighbour between
/// `a` and `b`; `None` when more than `most`, which is noticed early.
fn distance(a: &[char], b: &[char], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(left != right);
            let mut cost = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *left == b[j - 1] && a[i - 1] == *right {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        if row.iter().chain(&last).all(|&cost| cost > most) {
            return None;
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|&cost| cost <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_alike_are_not_offered() {
        for name in ["", "-", "delete_everything", "get", &"x".repeat(1000)] {
            assert!(nearest(name, ["get_user", "get_users"].into_iter()).is_empty(), "{name:?}");
        }
    }

    #[test]
    fn the_nearest_name_comes_first_and_few_are_named() {
        let tools = ["get_user", "get_users", "set_user", "list_orders", "get_uses", "get_used"];
        for (name, expected) in [
            ("getUser", vec!["get_user", "get_used", "get_users"]),
            ("get_usr", vec!["get_user"]),
            ("crm.list-order", vec![]),
            ("List.Orders", vec!["list_orders"]),
            ("lsit_orders", vec!["list_orders"]),
            ("ste_user", vec!["set_user"]),
        ] {
            assert_eq!(nearest(name, tools.into_iter()), expected, "{name}");
        }
    }
}
