//! Names that are spelt alike.

/// Names listed at most.
const LISTED_MAX: usize = 3;

/// Longer names are not compared.
const NAME_MAX: usize = 96;

/// The candidates that are nearest to `name`, the nearest first: those that
/// differ by case and separators only, then those that differ by a few letters.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = letters(name);
    if wanted.is_empty() || wanted.len() > NAME_MAX {
        return Vec::new();
    }
    let most = (wanted.len() / 4).clamp(1, 3);
    let mut found: Vec<(usize, &str)> = candidates
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

/// Letters inserted, left out or replaced between `a` and `b`; `None` when more
/// than `most`, which is noticed early.
fn distance(a: &[char], b: &[char], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
        if row.iter().all(|&cost| cost > most) {
            return None;
        }
    }
    row.last().copied().filter(|&cost| cost <= most)
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
        ] {
            assert_eq!(nearest(name, tools.into_iter()), expected, "{name}");
        }
    }
}
