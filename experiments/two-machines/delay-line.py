"""A cable with a length: what enters one of two TUN devices leaves the other one a fixed time later.

Kernels of small virtual machines often lack netem, which would do the same. Usage: delay-line.py DEVICE DEVICE SECONDS;
prints a line once both devices exist and passes packets on until its standard input ends.
"""

import collections
import fcntl
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 1
IFF_NO_PI = 0x1000
LARGEST_PACKET = 65_535


def open_device(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def read_all(device, queue, delay):
    while True:
        try:
            packet = os.read(device, LARGEST_PACKET)
        except OSError:  # nothing more, or the device is down
            return
        queue.append((time.monotonic() + delay, packet))


def write_due(device, queue):
    while queue and queue[0][0] <= time.monotonic():
        try:
            os.write(device, queue.popleft()[1])
        except OSError:  # the device is down: the packet is lost, as on a cable that was pulled
            pass


def main(first, second, delay):
    ends = [open_device(first), open_device(second)]
    queues = [collections.deque(), collections.deque()]
    print("ready", flush=True)
    while True:
        due = [queue[0][0] for queue in queues if queue]
        wait = max(0.0, min(due) - time.monotonic()) if due else None
        for ready in select.select([*ends, 0], [], [], wait)[0]:
            if ready == 0:
                return
            read_all(ready, queues[ends.index(ready)], delay)
        for queue, end in zip(queues, reversed(ends)):
            write_due(end, queue)


main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
