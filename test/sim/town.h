/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/sdk/adapter.h"
#include "broker/broker.h"
#include "broker/journal/reader.h"
#include "proto/envelope.pb-c.h"
#include "test/kit/bus.h"
#include "test/sim/ledger.h"
#include "test/sim/machine.h"

/*
 * A bus with its agencies, each a process of the machine: the broker's main function and the SDK's, with the
 * configuration files that a person would write. The agencies' legacy systems are lists of letters that
 * outlive every crash, as theirs are databases.
 */
enum { AGENCIES_MAX = 8, AUDITS_MAX = 4, TOWN_TRACE = 60, TOWN_LINE = 160, ENCLOSURES_MAX = 2 };

enum letter_state {
	LETTER_WRITTEN,   /* handed to the adapter, which may have died before it was durable */
	LETTER_SUBMITTED, /* the adapter has it */
	LETTER_RECORDED,  /* and a receipt */
	LETTER_REFUSED,   /* final */
	LETTER_UNSENT,    /* the adapter would not have it */
};

struct letter {
	uint8_t state;
	uint8_t route; /* of town.c's table */
	uint8_t priority;
	bool expires, later;
	uint8_t enclosures; /* so many files go with it */
	uint8_t h[HASH_SIZE];
	uint8_t case_id[16];
	uint64_t sequence;
	uint64_t written_ms;
};

/* What an agency asked. */
struct question {
	bool operated; /* in the name of the party that it operates */
	bool open;     /* nothing was told of it yet... */
	uint64_t life; /* ...in this life of its adapter */
};

enum response_state {
	RESPONSE_WAITS,   /* on somebody's desk */
	RESPONSE_WRITTEN, /* handed to the adapter, which may have died before it was durable */
	RESPONSE_SUBMITTED,
	RESPONSE_SETTLED, /* it has a receipt or a refusal, or will never be written */
};

/* What somebody is to answer, or to reply to. */
struct response {
	uint8_t state, again; /* enum response_state; of the second answer that it gives */
	uint8_t kind;         /* enum dw_kind, of what came */
	uint8_t h[HASH_SIZE];
	uint8_t case_id[16];
	const char *sender; /* of what came */
	char body[48];      /* likewise */
	uint64_t at_ms;     /* it is written, by the machine's clock; 0: never */
};

struct agency {
	struct proc process;
	struct town *town;
	const char *party;
	const char *operates; /* NULL: nobody */
	const struct config_adapter *config;
	struct dw_adapter *adapter; /* while it runs */
	struct letter *letters;
	size_t letters_count, letters_room;
	struct question *questions;
	size_t questions_count, questions_room;
	struct response *responses;
	size_t responses_count, responses_room;
	size_t again;        /* letters below were looked at since its start */
	uint32_t mood;       /* one of so many deliveries is put off or rejected */
	uint32_t haste;      /* most letters at a time */
	bool wild;           /* does not keep to the protocol: hostile.c */
	bool leaves;         /* it is asked to */
	uint64_t away_until; /* this many slices have gone by */
	uint64_t taken;      /* what it took by hand, each once more than before */
};

/* A file that a message in the journal names. */
struct enclosed {
	uint64_t sequence;
	uint32_t index;
	char sender[64];
	uint8_t digest[HASH_SIZE];
	uint64_t size;
};

/* Those of a letter, for dw_submit(). */
struct enclosures {
	size_t count;
	struct dw_attachment all[ENCLOSURES_MAX];
	char paths[ENCLOSURES_MAX][512];
};

struct town {
	struct machine machine;
	struct bus bus;
	struct ledger ledger;
	const struct config_broker *config;
	struct proc process;   /* the broker's */
	struct broker *broker; /* while it serves */
	struct agency agencies[AGENCIES_MAX];
	size_t agencies_count;
	struct proc operator;
	char order[512];              /* what the operator is at */
	struct {                      /* of a key */
		struct proc *process; /* NULL: there is none under way */
		uint64_t life;        /* it had when its file got the new key */
	} exchange;
	bool subscribed;    /* one more than at first gets events */
	bool door_withheld; /* the registry names a key of transport that the broker has not got yet */
	uint64_t door_life;                   /* the broker's, when it got the last one */
	uint32_t numbers[LEDGER_PARTIES_MAX]; /* of the ledger's parties, in the journal */
	uint8_t absent;                       /* this one of the witnesses never cosigns */
	bool witnessed;                       /* receipts are final under a quorum of witnesses */
	bool audit_due;                       /* as soon as the broker does not run */
	size_t audits;                        /* so far */
	struct enclosed *enclosed;            /* of all messages so far */
	size_t enclosed_count, enclosed_room;
	bool encloses; /* files go with letters */
	bool writing;  /* agencies write letters */
	bool loud;     /* every event is printed */
	struct {
		uint64_t written, unsent, refused, accepted, rejected, later, replayed, cancelled,
			asked, answered, reminded, enclosed;
	} counts;
	uint64_t told_count;
	char trace[TOWN_TRACE][TOWN_LINE];
};

/**
 * town_new() - keys, registry, configurations; nothing runs yet
 * @seed: of everything
 * @dir:  existing empty folder
 * Return: the town; town_free().
 */
struct town *town_new(uint64_t seed, const char *dir);
void town_free(struct town *town);

/* Remember what happened, for the story of a failure. */
void town_tell(struct town *town, const char *format, ...) _printf_(2, 3);
void town_print(const struct town *town); /* the newest of it */

struct agency *town_agency(
	struct town *town, struct bytes party); /* NULL: none; operated ones are their operator's */

/* ---- operator.c ---- */
void operator_init(struct town *town);
void operator_act(struct town *town);    /* an order, unless the last one is not answered yet */
void operator_settle(struct town *town); /* what is held or dead goes on, order by order */

/* ---- registrar.c ---- */
void registrar_act(struct town *town); /* a new key, or the next version of the registry */

/* ---- audit.c ---- */
/* Of the journal as it lies there. The broker does not run; @ended: and has ended in order. */
void town_audit(struct town *town, bool ended);
void auditor_act(struct town *town); /* comes when the broker has ended the next time */

/* ---- enclosure.c ---- */

/* The files of a letter lie there, and are gone again once the adapter has them. */
void enclosures_put(struct agency *agency, size_t letter, struct enclosures *ret);
void enclosures_drop(struct agency *agency, size_t letter);
/* Are these the files of the letter that @agency got? */
void enclosures_check(const struct agency *author, size_t letter, struct agency *agency,
	const struct dw_delivery *delivery);
/* A message with files was committed; all of them are looked at while the broker does not run. */
void enclosures_recorded(struct town *town, uint64_t sequence, const Dienstweg__Header *header);
void enclosures_audit(struct town *town, struct journal_reader *reader, bool ended);

/* ---- question.c ---- */

/* An agency asks now and then, and writes what is due of answers and replies: inside from_agency(). */
int agency_asks(struct dw_adapter *adapter, struct agency *agency);
int agency_answered(struct dw_adapter *adapter, void *context, const struct dw_answer *answer);
/* Something that it took wants an answer or a reply. */
int agency_is_asked(
	struct dw_adapter *adapter, struct agency *agency, const struct dw_delivery *delivery);
/* Is the body of a question, an answer or a reply what it should be? */
bool agency_knows_question(struct agency *agency, const struct dw_delivery *delivery);
/* A key of these, and what became of it; it is durable. Return: false for letters. */
bool agency_question_reported(
	struct dw_adapter *adapter, struct agency *agency, const struct dw_report *report);
bool agency_question_submitted(struct agency *agency, struct bytes key);
void agency_questions_forget(struct agency *agency); /* a new life begins */
bool agency_questions_settled(const struct agency *agency);

/* ---- recall.c ---- */

/* It may think better of a letter that it has a receipt of; what became of that (ops). */
void agency_reconsiders(struct dw_adapter *adapter, const struct agency *agency,
	struct bytes sender, const struct dw_report *report);
int agency_cancelled(
	struct dw_adapter *adapter, void *context, const struct dw_cancelled *cancelled);

/* ---- agency.c ---- */
void agency_main(struct proc *process);
void agency_stop(struct agency *agency); /* as SIGTERM does */
/* Has every letter an answer? */
bool agency_settled(const struct agency *agency);

/* ---- hostile.c ---- */
void hostile_main(struct proc *process);
