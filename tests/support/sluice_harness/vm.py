# SPDX-License-Identifier: BSD-3-Clause
"""Real Linux guests under QEMU without KVM.

A guest is Debian's cloud kernel with busybox. Its memory is a memfd that the vhost-user back-end
maps, so neither side needs hugepages. `vectors=0` keeps QEMU 7.2 from a crash under TCG when the
driver starts a vhost-user device (MSI-X notifiers).
"""
import base64
import dataclasses
import gzip
import json
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading

from .machine import build_dir, guest_kernel, need
from .proc import Proc
from .wait import wait_for

FEATURES = {0: 'csum', 1: 'guest-csum', 7: 'guest-tso4', 8: 'guest-tso6', 10: 'guest-ufo',
            11: 'host-tso4', 12: 'host-tso6', 14: 'host-ufo', 15: 'mrg-rxbuf', 16: 'status',
            17: 'ctrl-vq', 21: 'guest-announce', 22: 'mq', 32: 'version-1', 34: 'ring-packed'}


class CommandFailed(AssertionError):
    """A command in a guest that ended with another code than 0."""


@dataclasses.dataclass
class Nic:
    """A virtio NIC of a guest on a vhost-user socket."""
    socket: str
    mac: str
    addresses: tuple = ()  # with their prefix lengths
    server: bool = False  # QEMU makes the socket and waits; else it connects and reconnects
    mtu: int = 0
    options: str = ''  # further properties of virtio-net-pci, for example host_tso4=off
    queues: int = 1

    def arguments(self, n):
        side = 'server=on' if self.server else 'reconnect=1'
        extra = ',' + self.options if self.options else ''
        pairs, several = (f',queues={self.queues}', ',mq=on') if self.queues > 1 else ('', '')
        return ['-chardev', f'socket,id=c{n},path={self.socket},{side}',
                '-netdev', f'vhost-user,id=n{n},chardev=c{n}{pairs}',
                '-device', f'virtio-net-pci,netdev=n{n},romfile=,vectors=0,mac={self.mac}{several}'
                           f'{extra}']

    def kernel_words(self, n):
        words = [f'sl.eth{n}=' + ','.join(self.addresses)]
        return ([f'sl.mtu{n}={self.mtu}'] if self.mtu else []) + words


def copy_program(name, root):
    """A program of this machine, with its libraries where it looks for them."""
    path = shutil.which(name)
    shutil.copy(path, root / 'bin')
    run = subprocess.run(['ldd', path], capture_output=True, text=True, check=True)
    for library in re.findall(r'(/\S+) \(0x', run.stdout):
        target = root / library.lstrip('/')
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)


def build_initramfs(directory, kernel, programs):
    """Packs busybox, the modules, guest_init and what more is wanted; returns the file."""
    root = pathlib.Path(tempfile.mkdtemp(dir=directory))
    for d in ('bin', 'modules'):
        (root / d).mkdir()
    shutil.copy('/bin/busybox', root / 'bin' / 'busybox')
    shutil.copy(build_dir() / 'src' / 'sluice-hint', root / 'bin')
    for f in kernel.iterdir():
        if f.suffix == '.ko' or f.name == 'modules.order':
            shutil.copy(f, root / 'modules')
    shutil.copy(pathlib.Path(__file__).parent / 'guest_init', root / 'init')
    (root / 'init').chmod(0o755)
    for name in programs:
        copy_program(name, root)
    names = sorted(str(p.relative_to(root)) for p in root.rglob('*'))
    packed = subprocess.run(['cpio', '-o', '-H', 'newc', '--quiet', '-R', '0:0'], cwd=root,
                            input='\n'.join(names).encode(), capture_output=True, check=True).stdout
    shutil.rmtree(root)
    out = pathlib.Path(directory) / '-'.join(['initramfs', *programs, 'gz'])
    out.write_bytes(gzip.compress(packed, 1))
    return out


class VM:
    """A guest; start() boots it, run() runs a command in it. It can be killed and started again."""

    initramfs = {}  # by directory and programs, made once

    def __init__(self, directory, name, nics, memory=192, channel=None, reboots=False, programs=()):
        """channel: a Unix socket that the guest finds as /dev/vport0p2, with sluice-hint. reboots:
        a reset does not end it. programs: of this machine, for the guest."""
        need('qemu-system-x86_64', 'cpio', '/bin/busybox', *programs)
        self.directory = pathlib.Path(directory)
        self.name = name
        self.nics = nics
        self.memory = memory
        self.channel = channel
        self.reboots = reboots
        self.programs = tuple(programs)
        self.console = self.directory / f'{name}.console'
        self.agent_path = self.directory / f'{name}.agent'
        self.qmp_path = self.directory / f'{name}.qmp'
        self.proc = None
        self.agent = None
        self.boots = 0

    def start(self, wait=True):
        kernel = guest_kernel()
        ram = (self.directory, self.programs)
        if ram not in VM.initramfs:
            VM.initramfs[ram] = build_initramfs(self.directory, kernel, self.programs)
        words = ['console=ttyS0', 'quiet', 'panic=-1', 'mitigations=off', 'net.ifnames=0',
                 'no_timer_check', 'tsc=reliable']
        devices = []
        if self.channel:
            devices += ['-chardev', f'socket,id=hint,path={self.channel},reconnect=1',
                        '-device', 'virtserialport,chardev=hint,name=sluice.hint,nr=2']
        for n, nic in enumerate(self.nics):
            words += nic.kernel_words(n)
            devices += nic.arguments(n)
        self.boots += 1
        self.agent_path.unlink(missing_ok=True)
        argv = ['qemu-system-x86_64', '-name', self.name, '-nodefaults', '-no-user-config',
                '-display', 'none', *([] if self.reboots else ['-no-reboot']), '-machine', 'q35,accel=tcg', '-cpu', 'max',
                '-m', str(self.memory),
                '-object', f'memory-backend-memfd,id=m,size={self.memory}M,share=on',
                '-numa', 'node,memdev=m',
                '-kernel', kernel / 'vmlinuz', '-initrd', VM.initramfs[ram],
                '-append', ' '.join(words),
                '-chardev', f'file,id=con,path={self.console},append=on', '-serial', 'chardev:con',
                '-chardev', f'socket,id=agent,path={self.agent_path},server=on,wait=off',
                '-device', 'virtio-serial-pci,vectors=0',
                '-device', 'virtserialport,chardev=agent,name=agent,nr=1',
                '-qmp', f'unix:{self.qmp_path},server=on,wait=off', *devices]
        self.proc = Proc(argv, self.directory / f'{self.name}.qemu')
        self.agent = Agent(self)
        if wait:
            self.wait_boot()
        return self

    def wait_boot(self, timeout=60.0):
        wait_for(lambda: self.check_alive() and self.agent.ready, timeout, f'{self.name} has booted')

    def reset(self):
        """Presses the button; what runs in it is gone. wait_boot() waits for it."""
        self.agent.ready = False
        self.qmp('system_reset')

    def check_alive(self):
        assert self.proc.running, (f'QEMU of {self.name} ended with {self.proc.returncode}:\n'
                                   f'{self.proc.tail()}\n{self.console_tail()}')
        return True

    def console_tail(self, lines=30):
        if not self.console.exists():
            return ''
        return '\n'.join(self.console.read_text(errors='replace').splitlines()[-lines:])

    def begin(self, command):
        """Starts a command in the guest and returns its number, for finish()."""
        return self.agent.send(command)

    def finish(self, job, timeout=30.0, check=True):
        """Waits for the end of a command: its output, or (code, output) when check is False."""
        code, out = wait_for(lambda: self.check_alive() and self.agent.results.pop(job, None),
                             timeout, f'command {job} in {self.name}: {self.agent.commands[job]}')
        if not check:
            return code, out
        if code:
            raise CommandFailed(f'{self.name}: {self.agent.commands[job]!r} ended with {code}:\n'
                                f'{out}')
        return out

    def run(self, command, timeout=30.0, check=True):
        return self.finish(self.begin(command), timeout, check)

    def ping(self, address, count=3, size=56, timeout=20.0):
        """Pings and returns the number of answers."""
        which = 'ping6' if ':' in address else 'ping'
        _, out = self.run(f'{which} -c {count} -i 0.2 -W 2 -s {size} {address}', timeout, check=False)
        return int(re.search(r'(\d+) packets received', out).group(1)) if 'received' in out else 0

    def virtio_features(self, n=0):
        """Names of the features that ethN's driver and the back-end agreed on."""
        bits = self.run(f'cat /sys/class/net/eth{n}/device/features').strip()
        return {FEATURES.get(i, str(i)) for i, b in enumerate(bits) if b == '1'}

    def counters(self, n=0):
        """Interface counters of ethN, by the names of /sys/class/net."""
        out = self.run(f'cd /sys/class/net/eth{n}/statistics && for f in *; do echo $f $(cat $f); '
                       'done')
        return {k: int(v) for k, v in (line.split() for line in out.splitlines())}

    def qmp(self, command, **arguments):
        """One command to QEMU itself, for example set_link name=n0 up=False."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s, s.makefile('rw') as lines:
            s.settimeout(10)
            s.connect(str(self.qmp_path))
            lines.readline()  # the greeting
            for request in ({'execute': 'qmp_capabilities'},
                            {'execute': command, 'arguments': arguments}):
                lines.write(json.dumps(request) + '\n')
                lines.flush()
                answer = json.loads(lines.readline())
                while 'event' in answer:
                    answer = json.loads(lines.readline())
                assert 'return' in answer, f'{command}: {answer}'
        return answer['return']

    def kill(self):
        """Ends it as a power failure does."""
        if self.proc:
            self.proc.kill()
            self.agent.close()

    def stop(self):
        self.kill()

    def __enter__(self):
        return self.start() if self.proc is None else self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(f'--- console of {self.name}\n{self.console_tail()}')
        self.stop()


class Agent:
    """Our end of the guest's virtio serial port; one thread collects results."""

    def __init__(self, vm):
        self.ready = False
        self.results = {}
        self.commands = {}
        self.last = 0
        self.vm = vm
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        wait_for(lambda: vm.check_alive() and self.connect(), 10, f'the agent socket of {vm.name}')
        self.thread = threading.Thread(target=self.collect, daemon=True)
        self.thread.start()

    def connect(self):
        try:
            self.socket.connect(str(self.vm.agent_path))
            return True
        except OSError:
            return False

    def collect(self):
        rest = b''
        while True:
            try:
                chunk = self.socket.recv(65536)
            except OSError:
                return
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b'\n')
            for line in lines:
                self.take(line.decode(errors='replace').strip())

    def take(self, line):
        if line.endswith('READY'):
            self.ready = True
        elif m := re.match(r'R (\d+) (\d+) ?(\S*)$', line):
            out = base64.b64decode(m.group(3)).decode(errors='replace')
            self.results[int(m.group(1))] = (int(m.group(2)), out)

    def send(self, command):
        self.last += 1
        self.commands[self.last] = command
        line = f'{self.last} {base64.b64encode(command.encode()).decode()}\n'
        self.socket.sendall(line.encode())
        return self.last

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.thread.join(5)


def tcp_transfer(source, target, address, megabytes=8, port=5001, timeout=120.0):
    """Sends random bytes from one guest to the other over TCP; what arrives must be the same.

    Returns the bits per second that the sender saw.
    """
    size = int(megabytes * 1024 * 1024)
    name = f'/tmp/f{port}'
    sent = source.run(f'head -c {size} /dev/urandom >{name} && md5sum <{name}', timeout)
    # A receiver whose input ends would end the sender; a pipe that it holds itself never does.
    job = target.begin(f'mkfifo {name}.p; nc -l -p {port} <>{name}.p >{name}.in && '
                       f'wc -c <{name}.in && md5sum <{name}.in; c=$?; rm {name}.p {name}.in; exit $c')
    target.run(f'until netstat -lnt | grep -q :{port}; do usleep 20000; done', 20)
    out = source.run(f'a=$(cut -d" " -f1 /proc/uptime); nc {shlex.quote(address)} {port} <{name}; '
                     f'c=$?; echo $a $(cut -d" " -f1 /proc/uptime); rm {name}; exit $c', timeout)
    size_in, sum_in = target.finish(job, timeout).split('\n', 1)
    assert int(size_in) == size, f'{size_in} of {size} bytes arrived'
    assert sum_in.strip() == sent.strip(), 'what arrived is not what was sent'
    begin, end = map(float, out.split()[-2:])
    return size * 8 / max(end - begin, 0.01)
