// SPDX-License-Identifier: BSD-3-Clause
#include <fcntl.h>
#include <linux/vhost_types.h>
#include <linux/virtio_net.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dp_support.h"
#include "port/vhost.h"
#include "vhost_front.h"

// A vhost-user port and a real peer: dpdk-testpmd on a virtio-user device, which gives back what it
// gets. It is killed and started again.

#define DEADLINE_S 30

struct guest {
	pid_t pid;
	int in; // its standard input: open as long as it shall run
};

static void
guest_start(struct guest *g, const char *path, unsigned queues, bool server, const char *more)
{
	char vdev[200], rxq[32], txq[32];
	int fds[2];

	snprintf(vdev, sizeof(vdev), "net_virtio_user0,path=%s,queues=%u,queue_size=256%s%s", path,
		queues, server ? ",server=1" : "", more);
	snprintf(rxq, sizeof(rxq), "--rxq=%u", queues);
	snprintf(txq, sizeof(txq), "--txq=%u", queues);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	g->pid = fork();
	assert_true(g->pid >= 0);
	if (g->pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL); // also when a test fails
		dup2(fds[0], 0);
		dup2(null, 1);
		dup2(null, 2);
		execlp("dpdk-testpmd", "dpdk-testpmd", "--no-huge", "-m128", "--no-pci",
			"--no-shconf", "--no-telemetry", "--lcores=0@0,1@1", "--vdev", vdev, "--",
			"--auto-start", "--forward-mode=io", "--port-topology=loop",
			"--no-flush-rx", "--total-num-mbufs=4096", rxq, txq, NULL);
		_exit(127);
	}
	close(fds[0]);
	g->in = fds[1];
}

static void
guest_kill(struct guest *g)
{
	int status;

	kill(g->pid, SIGKILL);
	waitpid(g->pid, &status, 0);
	close(g->in);
	g->pid = 0;
}

// Loops until the link of vport 1 is as wanted.
static void
wait_link(struct bench *b, struct guest *g, bool up)
{
	const struct dp_port *p = b->vport[1].port;
	time_t end = time(NULL) + DEADLINE_S;
	int status;

	while (p->ops->link(p) != up) {
		dp_worker_once(b->dp->worker[0]);
		dp_worker_offline(b->dp->worker[0]);
		if (g->pid != 0 && waitpid(g->pid, &status, WNOHANG) == g->pid)
			fail_msg("dpdk-testpmd ended with %d", WEXITSTATUS(status));
		if (time(NULL) > end)
			fail_msg("the link is not %s after %u s", up ? "up" : "down", DEADLINE_S);
		usleep(1000);
	}
}

// Gives one packet to the guest and looks for up to ms milliseconds whether something comes back.
static unsigned
exchange(struct bench *b, unsigned ms)
{
	struct frame f = {.src = 1, .dst = 2, .ip_src = 1, .ip_dst = 2, .len = 400};
	unsigned i, back = 0;

	bench_feed(b, 0, 0, frame_make(b, &f));
	for (i = 0; i < ms && back == 0; i++) {
		bench_run(b);
		back = bench_count_out(b, 0);
		usleep(back == 0 ? 1000 : 0);
	}
	return back;
}

// A guest that has just enabled its rings may lose what it gets before it forwards: tries until
// something comes back, then nothing may be lost.
static void
echo(struct bench *b, unsigned n)
{
	time_t end = time(NULL) + DEADLINE_S;

	while (exchange(b, 20) == 0)
		if (time(NULL) > end)
			fail_msg("nothing came back in %u s", DEADLINE_S);
	usleep(50000);
	bench_run(b);
	bench_count_out(b, 0);
	while (n-- > 0)
		assert_int_equal(exchange(b, 5000), 1);
}

static void
begin(struct bench *b, const char *path, bool client, uint16_t queues, bool library)
{
	static const struct qos_class_cfg classes[3] = {{.level = 0, .weight = 1, .depth = 64},
		{.level = 1, .weight = 3, .depth = 64}, {.level = 1, .weight = 1, .depth = 64}};
	struct dp_vhost_cfg cfg = {.path = path,
		.client = client,
		.queues = queues,
		.mtu = 1500,
		.library_rings = library};
	struct sl_err err;

	bench_begin(b, 1, 1, 1);
	bench_rule(b, 1, 1, "port=0", "output=1");
	bench_rule(b, 2, 1, "port=1", "output=0");
	cfg.pool = b->pool;
	sl_err_init(&err);
	b->vport[1] = (struct dp_vport){.id = 1, .vm = DP_NONE, .mtu = 1500};
	if (dp_port_vhost(&cfg, &b->vport[1].port, &err) != 0)
		fail_msg("%s", err.text);
	b->vport[1].port->vport = 1;
	b->vport[1].port->index = 1;
	assert_int_equal(dp_port_attach(b->vport[1].port, 1, classes, 3, 0), 0);
	bench_publish(b);
}

// Another process looks whether somebody listens, as a second sluiced would.
static void
look_in(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	usleep(50000); // rte_vhost's thread takes it, and then its end
	close(fd);
	usleep(50000);
}

struct kind {
	bool client, library;
	uint16_t queues, guest_queues;
	const char *options; // of the guest's device
	bool own;            // its packets go through rings of our own
};

static void
rings_are(struct bench *b, bool guest, bool own)
{
	struct dp_vhost_rings rings;

	assert_true(dp_port_vhost_rings(b->vport[1].port, &rings));
	assert_int_equal(rings.guest, guest);
	assert_int_equal(rings.own, own);
	assert_int_equal(rings.broken, 0);
	assert_int_equal(rings.refused, 0);
	assert_false(dp_port_vhost_rings(b->vport[0].port, &rings));
}

static void
come_and_go(const struct kind *k)
{
	char dir[] = "/tmp/sluice-vhost-XXXXXX";
	struct frame f = {.src = 1, .dst = 2};
	struct guest g = {0};
	char path[64];
	struct bench b;
	unsigned round;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	begin(&b, path, k->client, k->queues, k->library);
	bench_feed(&b, 0, 0, frame_make(&b, &f));
	bench_run(&b);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_LINK_DOWN), 1);
	for (round = 0; round < 2; round++) {
		if (k->client) // the server is the guest, and does not clean up after itself
			unlink(path);
		guest_start(&g, path, k->guest_queues, k->client, k->options);
		wait_link(&b, &g, true);
		echo(&b, 500);
		rings_are(&b, true, k->own);
		if (!k->client) {
			look_in(path);
			echo(&b, 10);
		}
		guest_kill(&g);
		wait_link(&b, &g, false);
		rings_are(&b, false, false);
		bench_feed(&b, 0, 0, frame_make(&b, &f));
		bench_run(&b);
		assert_int_equal(bench_dropped(&b, 0, DP_DROP_LINK_DOWN), 2 + round);
	}
	bench_end(&b);
	unlink(path);
	rmdir(dir);
}

static void
server(void **state)
{
	come_and_go(&(struct kind){.queues = 1, .guest_queues = 1, .options = "", .own = true});
}

static void
client(void **state)
{
	come_and_go(&(struct kind){
		.client = true, .queues = 1, .guest_queues = 1, .options = "", .own = true});
}

// The guest uses more queue pairs than the port polls by themselves.
static void
more_queues(void **state)
{
	come_and_go(&(struct kind){.queues = 1, .guest_queues = 2, .options = "", .own = true});
}

static void
in_order(void **state)
{
	come_and_go(&(struct kind){
		.queues = 1, .guest_queues = 1, .options = ",mrg_rxbuf=0,in_order=1", .own = true});
}

// What is not for rings of our own, and what is told to be not.
static void
by_library(void **state)
{
	come_and_go(&(struct kind){
		.queues = 1, .guest_queues = 1, .options = ",packed_vq=1", .own = false});
	come_and_go(&(struct kind){
		.library = true, .queues = 1, .guest_queues = 1, .options = "", .own = false});
}

static void
sockets(void **state)
{
	char dir[] = "/tmp/sluice-vhost-XXXXXX";
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct dp_vhost_cfg cfg = {.queues = 1, .mtu = 1500};
	struct dp_port *p = NULL;
	struct sl_err err;
	char path[64];
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	cfg.path = path;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	sl_err_init(&err);
	assert_int_equal(dp_port_vhost(&cfg, &p, &err), -EADDRINUSE);
	close(fd);
	sl_err_init(&err);
	assert_int_equal(dp_port_vhost(&cfg, &p, &err), 0);
	p->ops->close(p);
	dp_free_mem(p);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	sl_err_init(&err);
	assert_int_equal(dp_port_vhost(&cfg, &p, &err), -EEXIST);
	unlink(path);
	rmdir(dir);
}

struct front_rig {
	struct bench b;
	struct front f;
	char dir[32], path[64];
};

static void
front_rig_begin(struct front_rig *r)
{
	struct guest none = {0};

	snprintf(r->dir, sizeof(r->dir), "/tmp/sluice-vhost-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%s/s", r->dir);
	begin(&r->b, r->path, false, 1, false);
	front_make(&r->f);
	front_connect(&r->f, r->path);
	assert_true(front_start(&r->f, 2));
	wait_link(&r->b, &none, true);
	rings_are(&r->b, true, true);
}

static void
front_rig_end(struct front_rig *r)
{
	struct guest none = {0};

	front_free(&r->f);
	wait_link(&r->b, &none, false);
	bench_end(&r->b);
	unlink(r->path);
	rmdir(r->dir);
}

// A packet to the guest, by a software ring or not.
static void
feed(struct front_rig *r, bool ring)
{
	struct frame f = {.src = 1, .dst = 2, .ip_src = ring ? 7 : 1, .ip_dst = 2, .len = 100};

	bench_feed(&r->b, 0, 0, frame_make(&r->b, &f));
	bench_run(&r->b);
}

// What the other end says is no more to be trusted than what lies in the guest's memory: rings that
// grow beyond it, memory that is taken away and not given anew.
static void
hostile_front_end(void **state)
{
	static struct front_rig r;
	unsigned i;

	front_rig_begin(&r);
	for (i = 0; i < 4; i++) {
		if (i == 1) { // and a descriptor beyond the memory is available
			r.f.ring[0].avail->ring[0] = 30000;
			r.f.ring[0].avail->idx = 1;
			FRONT_SAY(&r.f, FRONT_SET_VRING_NUM, -1, 0 | 32768ULL << 32);
		}
		if (i == 2) // beyond what the descriptor has
			assert_int_not_equal(
				FRONT_SAY(&r.f, FRONT_SET_MEM_TABLE, r.f.mem, 1, FRONT_SIZE,
					FRONT_SIZE, FRONT_BASE, 1ULL << 62),
				0);
		if (i == 3)
			FRONT_SAY(&r.f, FRONT_GET_FEATURES, -1, 0);
		feed(&r, false);
		rings_are(&r.b, true, true);
	}
	front_rig_end(&r);
}

// A ring in which was what cannot be rests until the device is set up again. What is for its guest
// is dropped by that name meanwhile, and what waits for it waits no longer.
static void
broken_ring(void **state)
{
	static struct front_rig r;
	struct dp_vhost_rings rings;
	uint32_t len;

	front_rig_begin(&r);
	bench_rule(&r.b, 3, 2, "port=0 ip_src=10.0.0.7", "ring,class=1,output=1");
	bench_publish(&r.b);
	feed(&r, true); // there is no room for it yet: it is held
	assert_int_equal(dp_held(r.b.dp), 1);
	feed(&r, false);
	assert_int_equal(bench_dropped(&r.b, 0, DP_DROP_TX_FULL), 1);
	r.f.ring[0].avail->ring[0] = FRONT_DESC;
	__atomic_store_n(&r.f.ring[0].avail->idx, 1, __ATOMIC_RELEASE);
	feed(&r, false);
	feed(&r, true);
	assert_int_equal(bench_dropped(&r.b, 0, DP_DROP_GUEST_RING), 3);
	assert_int_equal(dp_held(r.b.dp), 0);
	assert_true(dp_port_vhost_rings(r.b.vport[1].port, &rings));
	assert_int_equal(rings.broken, 1);
	assert_int_equal(rings.first, 0);
	assert_string_equal(rings.why, "a descriptor beyond the ring is available");
	assert_true(r.b.vport[1].port->ops->link(r.b.vport[1].port));
	// Nothing but a reset mends it: not its next message, nor a ring that could be again.
	FRONT_SAY(&r.f, FRONT_GET_FEATURES, -1, 0);
	r.f.ring[0].avail->idx = 0;
	feed(&r, false);
	assert_int_equal(bench_dropped(&r.b, 0, DP_DROP_GUEST_RING), 4);

	front_stop(&r.f, 2);
	rings_are(&r.b, false, false);
	assert_true(front_start(&r.f, 2));
	rings_are(&r.b, true, true);
	front_room(&r.f, 0);
	feed(&r, false);
	feed(&r, true);
	assert_non_null(front_take(&r.f, 0, &len));
	assert_int_equal(len, 42 + 100);
	assert_non_null(front_take(&r.f, 0, &len));
	front_rig_end(&r);
}

// rte_vhost's thread has done what it was told before, on other connections too: it looks at all of
// them in turn.
static void
settle(struct front *f)
{
	FRONT_SAY(f, FRONT_GET_FEATURES, -1, 0);
	FRONT_SAY(f, FRONT_GET_FEATURES, -1, 0);
}

// The first guest at a socket keeps it; others wait with their devices set up, and come when the
// place is free.
static void
second_guest(void **state)
{
	static struct front_rig r;
	struct dp_vhost_rings rings;
	struct front other[2];
	uint32_t len;
	unsigned i;

	front_rig_begin(&r);
	front_room(&r.f, 0);
	for (i = 0; i < 2; i++) {
		front_make(&other[i]);
		front_connect(&other[i], r.path);
		assert_true(front_start(&other[i], 2));
		settle(&other[i]);
		front_room(&other[i], 0);
		feed(&r, false);
		assert_non_null(front_take(&r.f, 0, &len));
		assert_true(dp_port_vhost_rings(r.b.vport[1].port, &rings));
		assert_int_equal(rings.strangers, i + 1);
	}
	front_close(&other[0]); // it gives up; so the next one's turn comes
	settle(&other[1]);
	front_stop(&r.f, 2);
	feed(&r, false);
	assert_non_null(front_take(&other[1], 0, &len));
	assert_null(front_take(&other[0], 0, &len));
	assert_null(front_take(&r.f, 0, &len));
	rings_are(&r.b, true, true);
	assert_true(front_start(&r.f, 2)); // now it waits itself
	feed(&r, false);
	assert_non_null(front_take(&other[1], 0, &len));
	front_close(&other[1]);
	settle(&r.f);
	feed(&r, false);
	assert_non_null(front_take(&r.f, 0, &len));
	for (i = 0; i < 2; i++)
		front_free(&other[i]);
	front_rig_end(&r);
}

// What the second guest agrees to is nothing to the first one, whose packets it would change.
static void
features_of_a_second(void **state)
{
	const uint64_t unfinished = 1ULL << VIRTIO_NET_F_GUEST_CSUM |
				    1ULL << VIRTIO_NET_F_GUEST_TSO4 |
				    1ULL << VIRTIO_NET_F_GUEST_TSO6;
	static struct front_rig r;
	const struct dp_port *p;
	struct front other;
	uint64_t offloads;
	unsigned i;

	front_rig_begin(&r);
	p = r.b.vport[1].port;
	offloads = atomic_load(&p->tx_offloads);
	front_make(&other);
	front_connect(&other, r.path);
	assert_true(front_begin(&other, FRONT_FEATURES | unfinished));
	for (i = 0; i < 2; i++)
		front_ring_start(&other, i);
	assert_int_equal(FRONT_SAY(&other, FRONT_SET_FEATURES, -1,
				 FRONT_FEATURES | unfinished | 1ULL << VHOST_F_LOG_ALL),
		0);
	assert_int_equal(atomic_load(&p->tx_offloads), offloads);
	front_stop(&r.f, 2);
	settle(&other);
	assert_int_not_equal(atomic_load(&p->tx_offloads), offloads);
	front_close(&other);
	front_free(&other);
	front_rig_end(&r);
}

// The place gets free while who waits for it is setting up its device.
static void
half_of_a_second(void **state)
{
	static struct front_rig r;
	struct front other;
	uint32_t len;

	front_rig_begin(&r);
	front_make(&other);
	front_connect(&other, r.path);
	assert_true(front_begin(&other, FRONT_FEATURES));
	front_ring_start(&other, 0);
	front_stop(&r.f, 2);
	front_ring_start(&other, 1);
	settle(&other);
	rings_are(&r.b, true, true);
	front_room(&other, 0);
	feed(&r, false);
	assert_non_null(front_take(&other, 0, &len));
	front_close(&other);
	front_free(&other);
	front_rig_end(&r);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_vhost");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets),
		cmocka_unit_test(server),
		cmocka_unit_test(client),
		cmocka_unit_test(more_queues),
		cmocka_unit_test(in_order),
		cmocka_unit_test(by_library),
		cmocka_unit_test(hostile_front_end),
		cmocka_unit_test(broken_ring),
		cmocka_unit_test(second_guest),
		cmocka_unit_test(features_of_a_second),
		cmocka_unit_test(half_of_a_second),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, NULL);
}
