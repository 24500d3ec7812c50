
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_kafka_producer.h"

#include <pthread.h>
#include <signal.h>

#include <librdkafka/rdkafka.h>


static ngx_int_t ngx_gw_kafka_producer_spawn(pthread_t *tid,
    ngx_gw_kafka_producer_t *p, ngx_log_t *log);
static void *ngx_gw_kafka_producer_thread(void *data);


ngx_int_t
ngx_gw_kafka_producer_create(ngx_gw_kafka_producer_t *p,
    const ngx_gw_kafka_conf_t *kcf, rd_kafka_conf_t *conf, int fd, char *why,
    size_t size)
{
    static const uint64_t  one = 1;

    ngx_memzero(p, sizeof(ngx_gw_kafka_producer_t));

    p->since = ngx_current_msec;

    if (rd_kafka_conf_set(conf, "bootstrap.servers", kcf->brokers, why, size)
        == RD_KAFKA_CONF_OK)
    {
        p->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, size);
    }

    if (p->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return NGX_ERROR;
    }

    p->topic = rd_kafka_topic_new(p->rk, kcf->topic, NULL);

    if (p->topic == NULL) {
        ngx_cpystrn((u_char *) why,
                    (u_char *) rd_kafka_err2str(rd_kafka_last_error()), size);

        /* without brokers there is nothing to wait for */

        rd_kafka_destroy(p->rk);
        p->rk = NULL;

        return NGX_ERROR;
    }

    /* its threads must not write to our log */

    (void) rd_kafka_set_log_queue(p->rk, NULL);

    p->queue = rd_kafka_queue_get_main(p->rk);

    if (fd != -1) {
        rd_kafka_queue_io_event_enable(p->queue, fd, &one, sizeof(one));
    }

    return NGX_OK;
}


void
ngx_gw_kafka_producer_destroy(ngx_gw_kafka_producer_t *p,
    ngx_msec_int_t timeout, ngx_log_t *log)
{
    pthread_t        tid;
    ngx_int_t        rc;
    struct timespec  ts;

    rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(p->queue);

    rc = ngx_gw_kafka_producer_spawn(&tid, p, log);

    ngx_memzero(p, sizeof(ngx_gw_kafka_producer_t));

    if (rc != NGX_OK) {
        return;
    }

    if (timeout > 0) {
        (void) clock_gettime(CLOCK_REALTIME, &ts);

        ts.tv_sec += timeout / 1000;
        ts.tv_nsec += timeout % 1000 * 1000000;

        if (ts.tv_nsec >= 1000000000) {
            ts.tv_nsec -= 1000000000;
            ts.tv_sec++;
        }

        if (pthread_timedjoin_np(tid, NULL, &ts) == 0) {
            return;
        }
    }

    (void) pthread_detach(tid);
}


static ngx_int_t
ngx_gw_kafka_producer_spawn(pthread_t *tid, ngx_gw_kafka_producer_t *p,
    ngx_log_t *log)
{
    ngx_err_t                 err;
    sigset_t                  all, set;
    ngx_gw_kafka_producer_t  *copy;

    copy = ngx_alloc(sizeof(ngx_gw_kafka_producer_t), log);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    *copy = *p;

    /* signals are for the thread of the event loop */

    sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &set);

    err = pthread_create(tid, NULL, ngx_gw_kafka_producer_thread, copy);

    (void) pthread_sigmask(SIG_SETMASK, &set, NULL);

    if (err) {
        ngx_log_error(NGX_LOG_CRIT, log, err,
                      "gw kafka: pthread_create() failed");
        ngx_free(copy);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void *
ngx_gw_kafka_producer_thread(void *data)
{
    ngx_gw_kafka_producer_t  *p = data;

    rd_kafka_topic_destroy(p->topic);
    rd_kafka_destroy(p->rk);

    ngx_free(p);

    return NULL;
}
