//! What the texts of a recipe must be. Much of it ends in command lines and files of the image: nothing may begin an
//! option, end a line or leave a quote.

use super::shape::Rule;
use crate::limits::MAX_PATH;

/// Bytes of a script: more belongs into a file.
const MAX_SCRIPT: usize = 65_536;

const fn rule(expected: &'static str, pattern: &'static str, holds: fn(&str) -> bool) -> Rule {
    Rule { expected, pattern, holds }
}

pub(super) const SCHEMA: Rule =
    rule("\"bootworthy.recipe/1\"", r"^bootworthy\.recipe/1$", |text| text == super::SCHEMA);
pub(super) const NAME: Rule = rule(
    "lower-case letters, digits, '-' and '.', beginning with a letter or digit",
    "^[a-z0-9][a-z0-9.-]{0,62}$",
    |text| begins(text, 63, |c| c.is_ascii_lowercase() || c.is_ascii_digit(), |c| c == '-' || c == '.'),
);
pub(super) const LINE: Rule = rule("one line of text", r"^[^\u0000-\u001f\u007f]*$", is_line);
pub(super) const SUITE: Rule =
    rule("a suite such as \"trixie\" or a release such as \"15.6\"", "^[a-z0-9][a-z0-9._/-]{0,62}$", |text| {
        begins(text, 63, |c| c.is_ascii_lowercase() || c.is_ascii_digit(), |c| "._/-".contains(c))
    });
pub(super) const MIRROR: Rule = rule(
    "an address without blanks: http://, https://, file:/ or copy:/",
    r"^((https?://)[^\s]+|(file|copy):/[^\s]*)$",
    |text| {
        let host = ["http://", "https://"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
        let is_local = text.starts_with("file:/") || text.starts_with("copy:/");
        !text.contains(|c: char| c.is_whitespace() || c.is_control())
            && (host.is_some_and(|host| !host.is_empty()) || is_local)
    },
);
pub(super) const COMPONENT: Rule =
    rule("an area of the archive such as \"main\"", "^[a-z0-9][a-z0-9-]{0,62}$", |text| {
        begins(text, 63, |c| c.is_ascii_lowercase() || c.is_ascii_digit(), |c| c == '-')
    });
pub(super) const PACKAGE: Rule =
    rule("the name of a package, perhaps with =VERSION", r"^[A-Za-z0-9@][A-Za-z0-9+._:~=@()^-]{0,254}$", |text| {
        begins(text, 255, |c| c.is_ascii_alphanumeric() || c == '@', |c| "+._:~=@()^-".contains(c))
    });
pub(super) const WORD_OF_CMDLINE: Rule = rule(
    "one word without blanks, quotes, '$', '`' and '\\'",
    r"^[!#%&()*+,./0-9:;<=>?@A-Z\[\]^_a-z{|}~-]+$",
    |text| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"\"'$`\\".contains(c)),
);
pub(super) const SIZE: Rule =
    rule("a number and KiB, MiB or GiB, for example \"4 GiB\"", "^[1-9][0-9]* (KiB|MiB|GiB)$", |text| {
        super::size::parse(text).is_ok()
    });
pub(super) const LABEL: Rule =
    rule("lower-case letters, digits and '-', at most 36", "^[a-z][a-z0-9-]{0,35}$", |text| {
        begins(text, 36, |c| c.is_ascii_lowercase(), |c| c.is_ascii_digit() || c == '-')
    });
pub(super) const PATH: Rule =
    rule("an absolute path in the image, without '..'", r"^/[^\u0000-\u001f\u007f]*$", is_path);
pub(super) const MOUNT: Rule =
    rule("an absolute path without blanks and '..'", r"^/[^\u0000-\u0020\u007f]*$", |text| {
        is_path(text) && !text.contains(' ')
    });
pub(super) const SOURCE: Rule =
    rule("a path of a file, relative to the recipe or absolute", r"^[^\u0000-\u001f\u007f]+$", |text| {
        !text.is_empty() && text.len() <= MAX_PATH && is_line(text)
    });
pub(super) const OPTION: Rule = rule("one mount option without blanks and commas", r"^[A-Za-z0-9_.=:/+-]+$", |text| {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.=:/+-".contains(c))
});
pub(super) const FEATURE_OF_MKFS: Rule =
    rule("a feature for mkfs such as \"nrext64=0\" or \"^64bit\"", r"^[\^A-Za-z0-9][A-Za-z0-9_=-]*$", |text| {
        begins(text, 64, |c| c.is_ascii_alphanumeric() || c == '^', |c| c == '_' || c == '=' || c == '-')
    });
pub(super) const MODE: Rule = rule("three or four octal digits, as \"0644\"", "^[0-7]{3,4}$", |text| {
    (3..=4).contains(&text.len()) && text.chars().all(|c| ('0'..='7').contains(&c))
});
pub(super) const OWNER: Rule =
    rule("user:group, as \"root:root\"", "^[a-z_0-9][a-z0-9_-]{0,31}:[a-z_0-9][a-z0-9_-]{0,31}$", |text| {
        text.split_once(':').is_some_and(|(user, group)| is_account(user) && is_account(group))
    });
pub(super) const ACCOUNT: Rule =
    rule("a login name: lower-case letters, digits, '-' and '_'", "^[a-z_][a-z0-9_-]{0,31}$", |text| {
        is_account(text) && !text.starts_with(|c: char| c.is_ascii_digit())
    });
pub(super) const HASH: Rule =
    rule("a hash as `mkpasswd` prints it, beginning with '$'", r"^\$[0-9a-z]+\$[./0-9A-Za-z$=,*-]+$", |text| {
        let method = text.strip_prefix('$').and_then(|rest| rest.split_once('$'));
        let is_word = |word: &str, more: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let is_method = |word: &str| is_word(word, "") && !word.contains(|c: char| c.is_ascii_uppercase());
        method.is_some_and(|(method, rest)| is_method(method) && is_word(rest, "./$=,*-"))
    });
pub(super) const KEY_OF_SSH: Rule = rule(
    "a public key as it stands in a .pub file",
    r"^(ssh|ecdsa|sk)-[^\u0000-\u001f\u007f]+ [^\u0000-\u001f\u007f]+$",
    |text| {
        let is_key = ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| text.starts_with(kind));
        is_key
            && is_line(text)
            && text.split_once(' ').is_some_and(|(kind, key)| kind.len() > 4 && !key.trim().is_empty())
    },
);
pub(super) const SCRIPT: Rule = rule("a script for sh, at most 64 KiB", r"\S", |text| {
    !text.trim().is_empty() && text.len() <= MAX_SCRIPT && !text.contains('\0')
});
pub(super) const TEXT: Rule = rule("a text without NUL", r"^[^\u0000]*$", |text| !text.contains('\0'));
pub(super) const VARIABLE: Rule =
    rule("the name of a variable: letters, digits and '_'", "^[A-Za-z_][A-Za-z0-9_]*$", |text| {
        begins(text, 255, |c| c.is_ascii_alphabetic() || c == '_', |c| c.is_ascii_digit())
    });
pub(super) const UNIT: Rule =
    rule("the name of a unit such as \"ssh.service\"", r"^[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,254}$", |text| {
        begins(text, 255, |c| c.is_ascii_alphanumeric(), |c| ":_.@\\-".contains(c))
    });
pub(super) const MODULE: Rule =
    rule("the name of a kernel module, such as virtio_net", "^[A-Za-z0-9][A-Za-z0-9_-]{0,54}$", |text| {
        begins(text, 55, |c| c.is_ascii_alphanumeric(), |c| c == '_' || c == '-')
    });
pub(super) const WISH: Rule = rule("KEY or KEY=VALUE", "^[a-z_0-9]+(=.+)?$", |text| {
    let key = text.split_once('=').map_or(text, |(key, _)| key);
    !key.is_empty()
        && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !text.ends_with('=')
});

/// `first` and then `first` or `more`, at most so many characters.
fn begins(text: &str, limit: usize, first: impl Fn(char) -> bool, more: impl Fn(char) -> bool) -> bool {
    text.len() <= limit && text.starts_with(&first) && text.chars().all(|c| first(c) || more(c))
}

fn is_line(text: &str) -> bool {
    !text.contains(|c: char| c.is_ascii_control())
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.len() <= MAX_PATH && is_line(text) && !text.split('/').any(|part| part == "..")
}

fn is_account(text: &str) -> bool {
    begins(text, 32, |c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit(), |c| c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hold_where_they_should() {
        for (rule, text, expected) in [
            (&NAME, "debian-13", true),
            (&NAME, "-x", false),
            (&NAME, "", false),
            (&NAME, "Debian", false),
            (&PACKAGE, "linux-image-amd64", true),
            (&PACKAGE, "libc6:amd64=2.36-9+deb12u1", true),
            (&PACKAGE, "@core", true),
            (&PACKAGE, "-oAPT::Update::Pre-Invoke::=x", false),
            (&PACKAGE, "a,b", false),
            (&PACKAGE, "?essential", false),
            (&WORD_OF_CMDLINE, "console=ttyS0,115200", true),
            (&WORD_OF_CMDLINE, "a b", false),
            (&WORD_OF_CMDLINE, "x=\"y\"", false),
            (&WORD_OF_CMDLINE, "$(id)", false),
            (&PATH, "/etc/motd", true),
            (&PATH, "etc/motd", false),
            (&PATH, "/etc/../x", false),
            (&PATH, "/etc/..x", true),
            (&MODE, "0644", true),
            (&MODE, "644", true),
            (&MODE, "0o644", false),
            (&MODE, "0948", false),
            (&OWNER, "root:root", true),
            (&OWNER, "0:0", true),
            (&OWNER, "root", false),
            (&HASH, "$6$salt$abc/.", true),
            (&HASH, "$y$j9T$abc$def", true),
            (&HASH, "secret", false),
            (&HASH, "$6$a:b", false),
            (&KEY_OF_SSH, "ssh-ed25519 AAAA me@here", true),
            (&KEY_OF_SSH, "AAAA", false),
            (&KEY_OF_SSH, "ssh-ed25519 AAAA\nssh-ed25519 BBBB", false),
            (&UNIT, "getty@tty1.service", true),
            (&UNIT, "--now", false),
            (&UNIT, "../x.service", false),
            (&MIRROR, "http://mirror.example/debian", true),
            (&MIRROR, "file:/srv/mirror", true),
            (&MIRROR, "ftp://mirror.example", false),
            (&MIRROR, "http://", false),
            (&OPTION, "errors=remount-ro", true),
            (&OPTION, "a,b", false),
            (&WISH, "hw_video_model=virtio", true),
            (&WISH, "hw_video_model=", false),
            (&VARIABLE, "HTTP_PROXY", true),
            (&VARIABLE, "1A", false),
        ] {
            assert_eq!((rule.holds)(text), expected, "{text:?}: {}", rule.expected);
        }
    }
}
