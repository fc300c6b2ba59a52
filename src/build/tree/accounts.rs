//! The users and groups of a tree (man 5 passwd, group, shadow, gshadow).

use super::root::{Owner, Root};
use crate::error::Result;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
const SHADOW: &str = "/etc/shadow";
const GSHADOW: &str = "/etc/gshadow";
/// Numbers that `useradd` gives to people (`UID_MIN`, `UID_MAX` of login.defs).
const PEOPLE: std::ops::Range<u32> = 1000..60_000;

/// What the tree's files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Accounts {
    passwd: Table,
    group: Table,
    shadow: Table,
    gshadow: Table,
}

/// Lines of fields between colons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table(Vec<Vec<String>>);

impl Table {
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty());
        Self(lines.map(|line| line.split(':').map(str::to_owned).collect()).collect())
    }

    fn text(&self) -> String {
        self.0.iter().map(|fields| fields.join(":") + "\n").collect()
    }

    fn find(&self, name: &str) -> Option<&Vec<String>> {
        self.0.iter().find(|fields| fields.first().is_some_and(|first| first == name))
    }

    fn field(&self, name: &str, index: usize) -> Option<&str> {
        self.find(name)?.get(index).map(String::as_str)
    }

    fn set(&mut self, name: &str, index: usize, value: &str) {
        let line = self.0.iter_mut().find(|fields| fields.first().is_some_and(|first| first == name));
        if let Some(field) = line.and_then(|fields| fields.get_mut(index)) {
            value.clone_into(field);
        }
    }

    fn push(&mut self, fields: &[&str]) {
        self.0.push(fields.iter().map(|field| (*field).to_owned()).collect());
    }

    /// Adds a member to a list between commas.
    fn join(&mut self, group: &str, index: usize, name: &str) {
        let members = self.field(group, index).unwrap_or_default();
        if members.split(',').any(|member| member == name) {
            return;
        }
        let members = if members.is_empty() { name.to_owned() } else { format!("{members},{name}") };
        self.set(group, index, &members);
    }

    /// The first free number, as useradd goes: the one after the highest that is given.
    fn free(&self) -> Option<u32> {
        let numbers = self.0.iter().filter_map(|fields| fields.get(2)?.parse().ok());
        let highest = numbers.filter(|number| PEOPLE.contains(number)).max();
        let next = highest.map_or(Some(PEOPLE.start), |highest: u32| highest.checked_add(1));
        next.filter(|number| PEOPLE.contains(number))
    }
}

impl Accounts {
    /// Reads the files that are there.
    pub(super) fn read(root: &Root) -> Result<Self> {
        let table = |path| root.text(path).map(|text| Table::parse(&text));
        Ok(Self { passwd: table(PASSWD)?, group: table(GROUP)?, shadow: table(SHADOW)?, gshadow: table(GSHADOW)? })
    }

    /// Writes what has changed; modes and owners stay.
    pub(super) fn write(&self, root: &Root) -> Result<()> {
        let tables = [(PASSWD, &self.passwd), (GROUP, &self.group), (SHADOW, &self.shadow), (GSHADOW, &self.gshadow)];
        for (path, table) in tables {
            root.edit(path, |text| (Table::parse(text) != *table).then(|| table.text()))?;
        }
        Ok(())
    }

    /// `user:group`, by name or number.
    pub(super) fn owner(&self, text: &str) -> Option<Owner> {
        let (user, group) = text.split_once(':')?;
        let number = |table: &Table, name: &str| name.parse().ok().or_else(|| table.field(name, 2)?.parse().ok());
        Some((number(&self.passwd, user)?, number(&self.group, group)?))
    }

    /// Whether there is such a group.
    pub(super) fn has_group(&self, name: &str) -> bool {
        self.group.find(name).is_some()
    }

    /// Whether there is such a user.
    pub(super) fn has_user(&self, name: &str) -> bool {
        self.passwd.find(name).is_some()
    }

    /// Who has this number.
    pub(super) fn user(&self, uid: u32) -> Option<&str> {
        let number = uid.to_string();
        let line = self.passwd.0.iter().find(|fields| fields.get(2) == Some(&number))?;
        line.first().map(String::as_str)
    }

    /// Home and owner of a user.
    pub(super) fn home(&self, name: &str) -> Option<(String, Owner)> {
        let number = |index| self.passwd.field(name, index)?.parse().ok();
        Some((self.passwd.field(name, 5)?.to_owned(), (number(2)?, number(3)?)))
    }

    /// Adds a user with a group of the same name and number, its password locked; `None` where no number is free.
    pub(super) fn add(&mut self, name: &str, uid: Option<u32>, shell: &str) -> Option<()> {
        let uid = uid.or_else(|| self.passwd.free())?;
        let gid = if let Some(gid) = self.group.field(name, 2).and_then(|number| number.parse().ok()) {
            gid
        } else {
            let is_free = |number: &u32| {
                let number = number.to_string();
                !self.group.0.iter().any(|fields| fields.get(2) == Some(&number))
            };
            let gid = Some(uid).filter(is_free).or_else(|| self.group.free())?;
            self.group.push(&[name, "x", &gid.to_string(), ""]);
            if !self.gshadow.0.is_empty() {
                self.gshadow.push(&[name, "!", "", ""]);
            }
            gid
        };
        let home = format!("/home/{name}");
        self.passwd.push(&[name, "x", &uid.to_string(), &gid.to_string(), "", &home, shell]);
        // No day of change: the password does not age, and the day of the build is nowhere.
        self.shadow.push(&[name, "!", "", "0", "99999", "7", "", "", ""]);
        Some(())
    }

    /// Sets the hash of a password.
    pub(super) fn set_password(&mut self, name: &str, hash: &str) {
        self.shadow.set(name, 1, hash);
    }

    /// Sets the login shell.
    pub(super) fn set_shell(&mut self, name: &str, shell: &str) {
        self.passwd.set(name, 6, shell);
    }

    /// Puts a user into a group.
    pub(super) fn join(&mut self, name: &str, group: &str) {
        self.group.join(group, 3, name);
        self.gshadow.join(group, 3, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts {
            passwd: Table::parse("root:x:0:0:root:/root:/bin/bash\nold:x:1000:1000::/home/old:/bin/sh\n"),
            group: Table::parse("root:x:0:\nsudo:x:27:\nold:x:1000:\nother:x:1001:\n"),
            shadow: Table::parse("root:*:19000:0:99999:7:::\n"),
            gshadow: Table::parse("root:*::\nsudo:*::\n"),
        }
    }

    #[test]
    fn owners_are_names_or_numbers() {
        for (text, owner) in [
            ("root:root", Some((0, 0))),
            ("old:sudo", Some((1000, 27))),
            ("5:6", Some((5, 6))),
            ("root", None),
            ("nobody:root", None),
        ] {
            assert_eq!(accounts().owner(text), owner, "{text}");
        }
    }

    #[test]
    fn a_new_user_has_a_group_and_a_locked_password() {
        let mut accounts = accounts();
        accounts.add("new", None, "/bin/bash").unwrap();
        accounts.join("new", "sudo");
        accounts.join("new", "sudo");
        // 1001 is another group's: the number of the group is the next one.
        assert_eq!(accounts.passwd.text().lines().last().unwrap(), "new:x:1001:1002::/home/new:/bin/bash");
        assert_eq!(accounts.group.text(), "root:x:0:\nsudo:x:27:new\nold:x:1000:\nother:x:1001:\nnew:x:1002:\n");
        assert_eq!(accounts.shadow.text().lines().last().unwrap(), "new:!::0:99999:7:::");
        assert_eq!(accounts.gshadow.text(), "root:*::\nsudo:*::new\nnew:!::\n");
        assert_eq!(accounts.home("new"), Some(("/home/new".to_owned(), (1001, 1002))));
    }
}
