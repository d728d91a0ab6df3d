# SPDX-License-Identifier: BSD-3-Clause
"""A client of the control socket: JSON-RPC 2.0, one message a line."""
import json
import socket
import struct


class RpcError(Exception):
    """An error answer: its code and text."""

    def __init__(self, error):
        super().__init__(f'{error.get("message")} ({error.get("code")})')
        self.code = error.get('code')
        self.text = error.get('message')
        self.data = error.get('data')


class RpcClient:
    def __init__(self, path, timeout=10.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # A connect that has to wait for its turn blocks, for so long and no longer.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                               struct.pack('ll', int(timeout), 0))
        self.socket.connect(str(path))
        self.socket.settimeout(timeout)
        self.rest = b''
        self.last_id = 0

    def send_raw(self, data):
        """Bytes as they are, for tests with bad input."""
        self.socket.sendall(data)

    def read_line(self):
        """One line; b'' when the other side has closed."""
        while b'\n' not in self.rest:
            chunk = self.socket.recv(65536)
            if not chunk:
                return b''
            self.rest += chunk
        line, self.rest = self.rest.split(b'\n', 1)
        return line

    def call(self, method, **params):
        """The result of one request; RpcError when it is refused."""
        self.last_id += 1
        request = {'jsonrpc': '2.0', 'id': self.last_id, 'method': method}
        if params:
            request['params'] = params
        self.send_raw(json.dumps(request).encode() + b'\n')
        line = self.read_line()
        if not line:
            raise ConnectionError(f'closed instead of an answer to {method}')
        answer = json.loads(line)
        assert answer.get('jsonrpc') == '2.0', answer
        assert answer.get('id') == self.last_id, answer
        if 'error' in answer:
            raise RpcError(answer['error'])
        return answer['result']

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
