//! What runs in the tree, in order; every word it needs comes as a variable. All of it may run twice.

/// What stands before each of the others: `modules PLATFORM` says the folder of the tree with that platform's modules.
pub(super) const PRELUDE: &str = r#"
modules() {
  for folder in /usr/lib/grub /usr/share/grub2; do
    if [ -e "$folder/$1/moddep.lst" ]; then echo "$folder/$1"; return; fi
  done
  echo "the tree has no GRUB for $1: its package is missing (on Debian one of $BW_PACKAGES)" >&2
  return 1
}
"#;

/// Settings, modules, fonts and an environment block.
pub(super) const SETTINGS: &str = r#"
rm -rf /.bootworthy
mkdir -m 0755 /.bootworthy
mkdir -p /etc/default "$BW_FOLDER/fonts"
if [ ! -e /etc/default/grub ] && [ -e /usr/share/grub/default/grub ]; then
  cp /usr/share/grub/default/grub /etc/default/grub
fi
# Debian's grub-mkconfig reads this folder, others only the file.
if [ "$BW_HAS_FOLDER" = yes ]; then
  mkdir -p /etc/default/grub.d
  printf '%s' "$BW_SETTINGS" >/etc/default/grub.d/50-bootworthy.cfg
else
  touch /etc/default/grub
  sed -i '/^# bootworthy: begin$/,/^# bootworthy: end$/d' /etc/default/grub
  printf '# bootworthy: begin\n%s# bootworthy: end\n' "$BW_SETTINGS" >>/etc/default/grub
fi
for platform in $BW_PLATFORMS; do
  from=$(modules "$platform")
  mkdir -p "$BW_FOLDER/$platform"
  cp "$from"/*.mod "$from"/*.lst "$BW_FOLDER/$platform/"
done
for font in /usr/share/grub/unicode.pf2 /usr/share/grub2/unicode.pf2; do
  if [ -e "$font" ]; then cp "$font" "$BW_FOLDER/fonts/"; fi
done
[ -e "$BW_FOLDER/grubenv" ] || "$BW_GRUB-editenv" "$BW_FOLDER/grubenv" create
"#;

/// The menu, by the distribution's own program. Entries of the Boot Loader Specification hold the command line themselves.
pub(super) const MENU: &str = r#"
probe=$(command -v "$BW_GRUB-probe")
relpath=$(command -v "$BW_GRUB-mkrelpath")
for program in "$probe" "$relpath"; do
  [ -e "$program.bootworthy" ] || mv "$program" "$program.bootworthy"
done
printf '%s' "$BW_PROBE" >"$probe"
printf '%s' "$BW_RELPATH" >"$relpath"
chmod 755 "$probe" "$relpath"
status=0
"$BW_GRUB-mkconfig" -o "$BW_FOLDER/grub.cfg" || status=$?
for program in "$probe" "$relpath"; do mv "$program.bootworthy" "$program"; done
[ "$status" = 0 ] || exit "$status"
if [ -d /boot/loader/entries ]; then
  mkdir -p /etc/kernel
  printf '%s\n' "$BW_CMDLINE" >/etc/kernel/cmdline
  for entry in /boot/loader/entries/*.conf; do
    [ -e "$entry" ] || continue
    grep -v '^options' "$entry" >/.bootworthy/entry
    printf 'options %s\n' "$BW_CMDLINE" >>/.bootworthy/entry
    cat /.bootworthy/entry >"$entry"
  done
elif ! grep -q "root=UUID=$BW_ROOT" "$BW_FOLDER/grub.cfg"; then
  echo "grub.cfg starts no kernel with root=UUID=$BW_ROOT: is there a kernel in /boot?" >&2
  exit 1
fi
"#;

/// The core for BIOS, which finds its folder by the file system's UUID.
pub(super) const BIOS: &str = r#"
printf '%s' "$BW_EARLY" >/.bootworthy/early.cfg
from=$(modules i386-pc)
"$BW_GRUB-mkimage" -O i386-pc -d "$from" -c /.bootworthy/early.cfg -p "$BW_PREFIX" -o /.bootworthy/core.img \
  biosdisk part_gpt "$BW_MODULE" search_fs_uuid
cp "$from/boot.img" /.bootworthy/boot.img
"#;

/// The program for UEFI, where firmware looks on a disk that it does not know, and what it reads.
pub(super) const UEFI: &str = r#"
efi=$BW_ESP/EFI
mkdir -p "$efi/BOOT" "$efi/$BW_VENDOR"
from=$(modules "$BW_PLATFORM")
"$BW_GRUB-mkimage" -O "$BW_PLATFORM" -d "$from" -p "/EFI/$BW_VENDOR" -o "$efi/BOOT/$BW_EFI_NAME" \
  part_gpt fat "$BW_MODULE" search search_fs_uuid configfile normal
printf '%s' "$BW_ESP_CFG" >"$efi/$BW_VENDOR/grub.cfg"
"#;

/// The same with what the distribution has signed; the signed GRUB reads the folder of its vendor.
pub(super) const SIGNED: &str = r#"
efi=$BW_ESP/EFI
mkdir -p "$efi/BOOT" "$efi/$BW_VENDOR"
# A row: candidates in the tree, the name on the ESP, whether it must be there.
take() {
  for file in $1; do
    if [ -e "$file" ]; then cp -L "$file" "$efi/BOOT/$2"; return; fi
  done
  [ "$3" = optional ] || { echo "the tree has none of $1: secure boot needs it" >&2; exit 1; }
}
take "$BW_SHIM" "$BW_EFI_NAME" needed
take "$BW_SIGNED" "$BW_GRUB_NAME" needed
take "$BW_MOK" "$BW_MOK_NAME" optional
printf '%s' "$BW_ESP_CFG" >"$efi/$BW_VENDOR/grub.cfg"
"#;
