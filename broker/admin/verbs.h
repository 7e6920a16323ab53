/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

/* The verbs of dienstweg-admin, each in a file of its own: arguments from the verb's name on, exit code. */
int status_run(int argc, char **argv);
int queue_list_run(int argc, char **argv);
int queue_hold_run(int argc, char **argv);
int queue_release_run(int argc, char **argv);
int dead_list_run(int argc, char **argv);
int dead_show_run(int argc, char **argv);
int dead_retry_run(int argc, char **argv);
int dead_discard_run(int argc, char **argv);
int case_show_run(int argc, char **argv);
int case_list_run(int argc, char **argv);
int backup_run(int argc, char **argv);
int erase_run(int argc, char **argv);
int registry_reload_run(int argc, char **argv);
int hold_run(int argc, char **argv);
int release_run(int argc, char **argv);
int audit_verify_run(int argc, char **argv);
int audit_replay_run(int argc, char **argv);
int audit_rebuild_run(int argc, char **argv);
int audit_list_run(int argc, char **argv);
int audit_show_run(int argc, char **argv);
int audit_prove_run(int argc, char **argv);
int audit_prune_run(int argc, char **argv);
int audit_check_run(int argc, char **argv);
int audit_export_run(int argc, char **argv);
int audit_report_run(int argc, char **argv);
