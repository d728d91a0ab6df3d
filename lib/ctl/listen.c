// SPDX-License-Identifier: BSD-3-Clause
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/server.h"

#define BACKLOG 1024 // a burst of clients waits here, not in an error

static int
make_address(const char *path, struct sockaddr_un *addr, struct sl_err *err)
{
	if (path[0] == '\0')
		return sl_err_set(err, EINVAL, NULL, "the path of the control socket is empty");
	if (strlen(path) >= sizeof(addr->sun_path))
		return sl_err_set(err, ENAMETOOLONG, path, "a socket path has at most %zu bytes",
			sizeof(addr->sun_path) - 1);
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(addr->sun_path, path, strlen(path) + 1);
	return 0;
}

int
ctl_socket_directory(const char *path, struct sl_err *err)
{
	char dir[CTL_SOCKET_PATH_MAX];
	char *slash;

	if (strlen(path) >= sizeof(dir))
		return sl_err_set(err, ENAMETOOLONG, path, "a socket path has at most %zu bytes",
			sizeof(dir) - 1);
	memcpy(dir, path, strlen(path) + 1);
	slash = strrchr(dir, '/');
	if (slash == NULL || slash == dir)
		return 0;
	*slash = '\0';
	if (mkdir(dir, 0755) == 0 || errno == EEXIST)
		return 0;
	return sl_err_set(err, errno, dir,
		"the socket's directory is not there and cannot be made: %s", strerror(errno));
}

// A file is in the way: remove it when it is a socket that nobody listens on.
static int
remove_stale(const struct sockaddr_un *addr, struct sl_err *err)
{
	const char *path = addr->sun_path;
	struct stat st;
	int fd, ret;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : sl_err_set(err, errno, path, "%s", strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return sl_err_set(err, EEXIST, path, "is in the way and is not a socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sl_err_set(err, errno, path, "socket: %s", strerror(errno));
	ret = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ? 0 : errno;
	close(fd);
	if (ret == 0 || ret == EAGAIN)
		return sl_err_set(
			err, EADDRINUSE, path, "another process listens here: is sluiced running?");
	if (ret != ECONNREFUSED)
		return sl_err_set(err, ret, path, "%s", strerror(ret));
	if (unlink(path) != 0 && errno != ENOENT)
		return sl_err_set(err, errno, path, "stale socket: %s", strerror(errno));
	return 0;
}

int
ctl_socket_unused(const char *path, struct sl_err *err)
{
	struct sockaddr_un addr;
	int ret = make_address(path, &addr, err);

	return ret != 0 ? ret : remove_stale(&addr, err);
}

// Of the socket that was made, whatever may stand under its name by now in a directory that others
// may write to.
static int
set_access(const char *path, const struct ctl_access *access)
{
	char fd_path[32];
	struct stat st;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), ret = -1;

	if (fd < 0)
		return -1;
	snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode))
		errno = EEXIST;
	else if (chmod(fd_path, access->mode) == 0)
		ret = fchownat(fd, "", access->uid, access->gid, AT_EMPTY_PATH);
	close(fd);
	return ret;
}

// The mode is set between bind and listen: before listen nobody can connect.
static int
bind_private(struct ctl_listener *l, const struct sockaddr_un *addr,
	const struct ctl_access *access, struct sl_err *err)
{
	struct stat st;

	if (bind(l->fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0)
		return sl_err_set(err, errno, l->path, "bind: %s", strerror(errno));
	if (set_access(l->path, access) == 0 && listen(l->fd, BACKLOG) == 0 &&
		lstat(l->path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
		return 0;
	}
	sl_err_set(err, errno, l->path, "listen: %s", strerror(errno));
	unlink(l->path);
	return err != NULL ? err->code : -EIO;
}

int
ctl_listener_open(const char *path, bool read_only, const struct ctl_access *access,
	struct ctl_listener *out, struct sl_err *err)
{
	struct sockaddr_un addr;
	int ret;

	*out = (struct ctl_listener){.fd = -1, .read_only = read_only};
	ret = make_address(path, &addr, err);
	if (ret != 0)
		return ret;
	memcpy(out->path, path, strlen(path) + 1);
	ret = ctl_socket_directory(path, err);
	if (ret == 0)
		ret = ctl_socket_unused(path, err);
	if (ret != 0)
		return ret;
	out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (out->fd < 0)
		return sl_err_set(err, errno, path, "socket: %s", strerror(errno));
	ret = bind_private(out, &addr, access, err);
	if (ret != 0)
		close(out->fd);
	return ret;
}

void
ctl_listener_close(struct ctl_listener *l)
{
	struct stat st;

	close(l->fd);
	if (lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
}
