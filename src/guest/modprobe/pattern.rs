//! Shell patterns as kmod matches them: `fnmatch(pattern, name, 0)` (`man 3 fnmatch`).

/// Whether `name` matches `pattern`: `*`, `?`, `[…]` with ranges and `!`, `\` before a plain character.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut here) = (0_usize, 0_usize);
    // The last `*`, and where in the name it may end next.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(at), name.get(here)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                retry = Some((at, here));
                at = at.saturating_add(1);
                continue;
            }
            (Some(_), Some(byte)) => one(pattern, at, *byte),
            _ => None,
        };
        match (step, retry) {
            (Some(next), _) => (at, here) = (next, here.saturating_add(1)),
            (None, Some((star, from))) if from < name.len() => {
                let next = from.saturating_add(1);
                retry = Some((star, next));
                (at, here) = (star.saturating_add(1), next);
            }
            _ => return false,
        }
    }
}

/// Where the pattern goes on when its piece at `at` takes `byte`.
fn one(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    let next = at.checked_add(1)?;
    match pattern.get(at)? {
        b'?' => Some(next),
        b'[' => match set(pattern, next, byte) {
            Some((end, has)) => has.then_some(end),
            None => (byte == b'[').then_some(next),
        },
        b'\\' => (pattern.get(next) == Some(&byte)).then_some(next.checked_add(1)?),
        plain => (*plain == byte).then_some(next),
    }
}

/// Behind the set that begins at `start`, and whether `byte` is in it; `None` when it has no end.
fn set(pattern: &[u8], start: usize, byte: u8) -> Option<(usize, bool)> {
    let is_negated = matches!(pattern.get(start)?, b'!' | b'^');
    let first = if is_negated { start.checked_add(1)? } else { start };
    let (mut at, mut has) = (first, false);
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((at.checked_add(1)?, has != is_negated));
        }
        let (dash, high) = (pattern.get(at.checked_add(1)?), pattern.get(at.checked_add(2)?));
        match (dash, high) {
            (Some(b'-'), Some(high)) if *high != b']' => {
                has |= (low..=*high).contains(&byte);
                at = at.checked_add(3)?;
            }
            _ => {
                has |= low == byte;
                at = at.checked_add(1)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn as_fnmatch_does() {
        for (pattern, name, is) in [
            ("virtio_scsi", "virtio_scsi", true),
            ("virtio_scsi", "virtio_scs", false),
            ("virtio_*", "virtio_scsi", true),
            ("*", "", true),
            ("*_scsi", "virtio_scsi", true),
            ("*a*b*c", "xaxxbxxc", true),
            ("*a*b*c", "xaxxcxxb", false),
            ("virtio:d0000000[1-3]v*", "virtio:d00000002v00001AF4", true),
            ("virtio:d0000000[1-3]v*", "virtio:d00000008v00001AF4", false),
            ("a[!b]c", "axc", true),
            ("a[!b]c", "abc", false),
            ("a[]x]c", "a]c", true),
            ("a[b-]c", "a-c", true),
            ("a[bc", "a[bc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
        let (pattern, name) = ("*a".repeat(500), "a".repeat(20_000) + "b");
        assert!(!matches(&pattern, &name), "and it comes to an end");
    }
}
