/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <sys/types.h>

/*
 * A TCP relay on loopback, in its own process, whose connections a test can cut while the processes at
 * both ends live on: what a firewall's idle timeout or a pulled cable looks like.
 */
struct proxy {
	pid_t pid;
	int control; /* write end of its command pipe */
	int done;    /* read end: a byte when a command was carried out */
	int port;    /* connect here */
	char endpoint[64];
};

/**
 * proxy_start() - relay a free port to another one
 * @proxy:       filled
 * @target_port: on 127.0.0.1
 */
void proxy_start(struct proxy *proxy, int target_port);
void proxy_cut(struct proxy *proxy);    /* reset every connection; new ones are relayed */
void proxy_freeze(struct proxy *proxy); /* keep them open, move no byte, accept none */
void proxy_thaw(struct proxy *proxy);
void proxy_end(struct proxy *proxy);
