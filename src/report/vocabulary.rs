//! Pages of image properties, extra specs and rules of the linter: `bootworthy explain hw_disk_bus`.

use super::explain::{Page, Part, part};
use crate::manifest::lint;
use crate::verdict::property::vocabulary::{
    Effect, Entry, Kind, Scope, Spec, extra_spec, extra_specs, properties, property,
};

/// Every name that has a page here.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let words = properties().iter().flat_map(|entry| entry.aliases.iter().chain([&entry.name]));
    let specs = extra_specs().specs.iter().map(|spec| &spec.name);
    words.chain(specs).map(String::as_str).chain(lint::RULES.iter().map(|rule| rule.id))
}

/// The page of a property, an extra spec or a rule.
pub(super) fn page(name: &str) -> Option<Page> {
    if let Some(rule) = lint::rule(name) {
        let parts = vec![
            part("why", rule.why),
            part("fix", rule.fix),
            part("severity", rule.severity.word()),
            part("source", rule.source),
        ];
        return Some(Page { name: rule.id, summary: rule.summary, parts });
    }
    if let Some(entry) = property(name) {
        return Some(Page { name: &entry.name, summary: &entry.does, parts: entry_parts(entry, true) });
    }
    let spec = extra_spec(name)?;
    Some(Page { name: &spec.name, summary: &spec.does, parts: spec_parts(spec) })
}

/// Every rule of the linter with its severity, and what it finds.
pub fn list_rules() -> String {
    let width = lint::RULES.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let row = |rule: &lint::Rule| format!("{:width$}  {:7}  {}\n", rule.id, rule.severity.word(), rule.summary);
    lint::RULES.iter().map(row).collect()
}

/// What the vocabulary adds to the page of a property that can be earned.
pub(super) fn parts(key: &str) -> Vec<Part> {
    property(key).map(|entry| entry_parts(entry, false)).unwrap_or_default()
}

fn entry_parts(entry: &Entry, is_alone: bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut add = |head: &str, text: String| {
        if !text.is_empty() {
            parts.push(part(head, text));
        }
    };
    add(if is_alone { "values" } else { "Nova takes" }, taken(entry));
    let aliases = entry.value_aliases.iter().map(|(from, to)| format!("{from} is {to}"));
    add("other spellings", aliases.collect::<Vec<_>>().join(", "));
    add("since", since(entry));
    add("older names", entry.aliases.join(", "));
    add("the guest needs", entry.needs.clone().unwrap_or_default());
    add("goes together", entry.conflicts.clone().unwrap_or_default());
    add("effect", effect(entry).to_owned());
    add("instead", entry.instead.clone().unwrap_or_default());
    let same = extra_specs().specs.iter().filter(|spec| spec.image.as_deref() == Some(entry.name.as_str()));
    add("in a flavor", same.map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", "));
    if is_alone {
        add("read by", reader(entry.scope).to_owned());
    }
    parts
}

fn taken(entry: &Entry) -> String {
    match (entry.kind, entry.scope) {
        (Kind::Enum, _) => {
            let case = if entry.folds_case { "capitals are the same" } else { "in this very spelling" };
            format!("{} ({case})", entry.values.join(", "))
        }
        (Kind::Bool, _) => {
            "1, t, true, on, y, yes or 0, f, false, off, n, no in any case; anything else is false".to_owned()
        }
        (Kind::Integer, _) => "a whole number".to_owned(),
        (Kind::Uuid, _) => "a UUID".to_owned(),
        (Kind::Versions, _) => "comparisons of versions with commas between, such as >=2.6,<3".to_owned(),
        (Kind::Numa, _) => format!("one property per NUMA node: {}.0, {}.1", entry.name, entry.name),
        (Kind::List, _) => "a list, which no property of Glance can be".to_owned(),
        (Kind::Traits, _) => "one property per trait: trait:NAME=required".to_owned(),
        _ if entry.values.is_empty() => "any text".to_owned(),
        _ => entry.values.join(", "),
    }
}

fn since(entry: &Entry) -> String {
    let values = entry.value_since.iter().map(|(value, release)| format!("{value} {release}"));
    entry.since.iter().cloned().chain(values).collect::<Vec<_>>().join("; ")
}

fn effect(entry: &Entry) -> &'static str {
    match entry.effect {
        Effect::Yes => "",
        Effect::Vmware => "only with VMware",
        Effect::OldName => "none by this name: Nova's code asks for the older one",
        Effect::Told => "none but to tell people and tools",
        Effect::None => "none",
    }
}

fn reader(scope: Scope) -> &'static str {
    match scope {
        Scope::Nova => "Nova, nova/objects/image_meta.py",
        Scope::NovaOther => "Nova, beside its image properties",
        Scope::Cinder => "Cinder",
        Scope::Glance => "Glance",
        Scope::Ironic => "Ironic",
        Scope::Scs => "people, by the standard SCS-0102",
        Scope::Catalogue => "no service",
    }
}

fn spec_parts(spec: &Spec) -> Vec<Part> {
    let values = match spec.kind {
        Kind::Enum => format!("{} (in this very spelling)", spec.values.join(", ")),
        Kind::Bool => "true or false in any of twelve spellings; anything else is refused".to_owned(),
        Kind::Integer => {
            let bound =
                |word: &str, bound: Option<i64>| bound.map(|bound| format!(", {word} {bound}")).unwrap_or_default();
            format!("a whole number{}{}", bound("not below", spec.min), bound("not above", spec.max))
        }
        Kind::Mask => "processors such as 0-3,^2; a leading ^ leaves out".to_owned(),
        Kind::PageSize => {
            "small, large, any, KiB, or a number with a unit that ends in b, bit or B: 2MB, 1GB".to_owned()
        }
        Kind::Labels => "labels with commas between".to_owned(),
        Kind::Aliases => "ALIAS:COUNT with commas between".to_owned(),
        _ => "any text".to_owned(),
    };
    let mut parts = vec![part("values", values)];
    for (head, text) in [("on an image", &spec.image), ("instead", &spec.instead)] {
        parts.extend(text.as_ref().map(|text| part(head, text.clone())));
    }
    parts.push(part("read by", "Nova, of a flavor's extra specs; nova/api/validation/extra_specs"));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::explain;

    #[test]
    fn every_word_has_its_page() {
        let mut count = 0_usize;
        for name in names() {
            let text = explain(name).unwrap_or_else(|_| panic!("{name}"));
            assert!(!text.contains(":  ") && !text.contains(": \n") && text.lines().count() > 3, "{text}");
            count = count.saturating_add(1);
        }
        assert!(count > 86 + 80, "{count}");
    }
}
