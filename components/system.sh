#!/bin/sh
# Makes of the base image what Wardround runs on: no package managers, no Perl, no pip; the standard library's byte
# code, which a read-only root could never keep; and a name for the user that everything runs as.
# For Debian's Python in /usr as well as the official image's in /usr/local.
set -eu
stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
unwanted='python3-pip python3-pip-whl python3-setuptools python3-setuptools-whl python3-wheel python3-venv
  python3.11-venv python3-distutils python3-lib2to3 python3-pkg-resources apt libapt-pkg6.0 libgnutls30 gpgv
  debian-archive-keyring perl perl-base perl-modules-5.36 libperl5.36 adduser e2fsprogs mount fdisk'
installed=
for package in $unwanted; do
  if dpkg-query --show --showformat '${Status}' "$package" 2>/dev/null | grep -q ' installed$'; then
    installed="$installed $package"
  fi
done
# Through dpkg, so that its list of what is installed stays true for scanners. Some scripts of packages want Perl,
# which goes too; nothing of theirs matters in here.
# shellcheck disable=SC2086
[ -z "$installed" ] || dpkg --purge --force-all --no-triggers $installed >/dev/null 2>&1 || true
rm -rf /usr/local/bin/pip* /usr/bin/pip* /usr/local/bin/idle* /usr/local/bin/2to3* \
  /usr/local/lib/python3.11/site-packages/* "$stdlib"/ensurepip "$stdlib"/idlelib "$stdlib"/lib2to3 "$stdlib"/test \
  "$stdlib"/turtledemo "$stdlib"/pydoc_data "$stdlib"/config-3.11-* /usr/share/python-wheels \
  /usr/local/include /var/lib/apt /var/cache/* /var/log/* /usr/share/doc /usr/share/man /usr/share/info /root/.cache
find / -xdev -perm /6000 -type f -exec chmod ug-s {} +
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash "$stdlib" >/dev/null 2>&1 || true
echo 'wardround:x:10001:10001::/tmp:/usr/sbin/nologin' >>/etc/passwd
echo 'wardround:x:10001:' >>/etc/group
