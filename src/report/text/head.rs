//! The first lines: what the image is, and where each boot entry finds its drivers.

use super::super::style::{Paint, Style};
use super::super::{escape, human};
use crate::guest::Guest;
use crate::verdict::boot::placements;

/// `name  Debian GNU/Linux 13 (trixie) x86_64 · qcow2 zstd, 10 GiB virtual · GPT, ext4 root, bios+uefi`
pub(super) fn line(guest: &Guest, style: Style) -> String {
    let image = guest.image.known();
    let name = image.map_or("image", |image| image.path.as_str());
    let parts = [os(guest), container(guest), layout(guest)];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{}  {}\n\n", style.paint(Paint::Bold, &escape::line(name)), escape::line(&parts.join(" · ")))
}

fn os(guest: &Guest) -> String {
    let Some(os) = guest.os.known() else { return "operating system unknown".to_owned() };
    let name = os.pretty_name.as_ref().unwrap_or(&os.id);
    let architecture = os.architecture.known().map(|name| format!(" {name}")).unwrap_or_default();
    format!("{name}{architecture}")
}

fn container(guest: &Guest) -> String {
    let Some(image) = guest.image.known() else { return String::new() };
    let features = image.features.known().map(|features| features.join(" ")).unwrap_or_default();
    let virtual_size = image.virtual_size.known().copied().flatten();
    let size = virtual_size.map(|size| format!(", {} virtual", human(size))).unwrap_or_default();
    format!("{} {features}", image.format).trim_end().to_owned() + &size
}

fn layout(guest: &Guest) -> String {
    let mut parts = Vec::new();
    if let Some(Some(table)) = guest.partition_table.known() {
        parts.push(table.scheme.to_uppercase());
    }
    let volumes = guest.volumes.known().map(|volumes| volumes.items.as_slice()).unwrap_or_default();
    let number = guest.root.known().and_then(|root| root.volume);
    let root = volumes.iter().find(|volume| Some(volume.number) == number);
    if let Some(Some(filesystem)) = root.and_then(|root| root.filesystem.known()) {
        parts.push(format!("{} root", filesystem.kind));
    }
    let entries = guest.boot_entries.known().map(|entries| entries.items.as_slice()).unwrap_or_default();
    let firmware = entries.iter().find_map(|entry| entry.firmware.known()).filter(|firmware| !firmware.is_empty());
    parts.extend(firmware.map(|firmware| firmware.join("+")));
    parts.join(", ")
}

/// One row per entry: where each driver is.
pub(super) fn boot_table(guest: &Guest, style: Style) -> String {
    let head = ["boot entry", "virtio_pci", "virtio_blk", "virtio_scsi", "virtio_net", "root driver"];
    let mut rows = vec![head.map(str::to_owned)];
    for row in placements(guest) {
        let version = row.version.as_deref().unwrap_or("kernel version unknown");
        let star = if row.is_default { " ★" } else { "" };
        let root = row.root_driver.unwrap_or_else(|| "-".to_owned());
        let [pci, blk, scsi, net] = row.words;
        rows.push([escape::line(version) + star, pci, blk, scsi, net, escape::line(&root)]);
    }
    if rows.len() == 1 {
        return "  no boot entry was found\n\n".to_owned();
    }
    table(&rows, style) + "\n"
}

/// Columns as wide as their widest cell; one line per cell where the terminal is too narrow.
fn table<const N: usize>(rows: &[[String; N]], style: Style) -> String {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..N).filter_map(width).collect();
    let total = widths.iter().map(|width| width.saturating_add(2)).sum::<usize>();
    if style.width.is_some_and(|limit| total > limit) {
        return narrow(rows);
    }
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = format!("  {}", cells.collect::<Vec<_>>().join("  "));
        let line = line.trim_end();
        text += &if index == 0 { style.paint(Paint::Dim, line) } else { line.to_owned() };
        text.push('\n');
    }
    text
}

fn narrow<const N: usize>(rows: &[[String; N]]) -> String {
    let Some((head, rows)) = rows.split_first() else { return String::new() };
    let lines = |row: &[String; N]| -> String {
        row.iter().zip(head).map(|(cell, name)| format!("  {name:<12} {cell}\n")).collect()
    };
    rows.iter().map(lines).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_one_line_per_cell() {
        let rows = [["boot entry".to_owned(), "virtio_pci".to_owned()], ["6.1 ★".to_owned(), "initrd".to_owned()]];
        let style = |width| Style { width, ..Style::default() };
        assert_eq!(table(&rows, style(None)), "  boot entry  virtio_pci\n  6.1 ★       initrd\n");
        assert_eq!(table(&rows, style(Some(20))), "  boot entry   6.1 ★\n  virtio_pci   initrd\n");
    }
}
