/*
@README@
*/
/* Metadata: @METADATA@ */

#ifndef INKLING_H
#define INKLING_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { INKLING_SIDE = 28, INKLING_PIXELS = 784, INKLING_HIDDEN_1 = 128, INKLING_HIDDEN_2 = 256, INKLING_DIGITS = 10 };

#define INKLING_VERSION @VERSION@
#define INKLING_TEMPERATURE @TEMPERATURE@
#define INKLING_VIEWS_TEMPERATURE @VIEWS_TEMPERATURE@
#define INKLING_VIEWS_BELOW @VIEWS_BELOW@ /* 0: the version has no views */

@WEIGHTS@

@FUNCTIONS@
/* out[outputs] = x[inputs] times w[inputs][outputs] + b[outputs] */
static void inkling_layer(const float *x, int inputs, const inkling_weight *w, const float *b, int outputs, float *out) {
    int i, j;
    for (j = 0; j < outputs; j++) out[j] = b[j];
    for (i = 0; i < inputs; i++) {
        if (x[i] == 0.0f) continue; /* most pixels */
        for (j = 0; j < outputs; j++) out[j] += x[i] * inkling_float(w[i * outputs + j]);
    }
}

static void inkling_sigmoid(float *x, int n) {
    int i;
    for (i = 0; i < n; i++) x[i] = 1.0f / (1.0f + expf(-x[i]));
}

/* The activations of the second layer for pixels of 0 to 1. */
static void inkling_hidden(const float *x, float *hidden) {
    float first[INKLING_HIDDEN_1];
    inkling_layer(x, INKLING_PIXELS, inkling_h1, inkling_b1, INKLING_HIDDEN_1, first);
    inkling_sigmoid(first, INKLING_HIDDEN_1);
    inkling_layer(first, INKLING_HIDDEN_1, inkling_h2, inkling_b2, INKLING_HIDDEN_2, hidden);
    inkling_sigmoid(hidden, INKLING_HIDDEN_2);
}

/* Writes the probabilities of the 10 digits, returns the most probable one. */
static int inkling_softmax(const float *hidden, float temperature, float *scores) {
    float sum = 0.0f, largest;
    int digit = 0, j;
    inkling_layer(hidden, INKLING_HIDDEN_2, inkling_out, inkling_b_out, INKLING_DIGITS, scores);
    for (j = 1; j < INKLING_DIGITS; j++)
        if (scores[j] > scores[digit]) digit = j;
    largest = scores[digit];
    for (j = 0; j < INKLING_DIGITS; j++) sum += scores[j] = expf((scores[j] - largest) / temperature);
    for (j = 0; j < INKLING_DIGITS; j++) scores[j] /= sum;
    return digit;
}

static void inkling_shift(const float *x, int down, int right, float *shifted) {
    int row, column;
    for (row = 0; row < INKLING_SIDE; row++)
        for (column = 0; column < INKLING_SIDE; column++) {
            int r = row - down, c = column - right;
            int is_inside = r >= 0 && r < INKLING_SIDE && c >= 0 && c < INKLING_SIDE;
            shifted[row * INKLING_SIDE + column] = is_inside ? x[r * INKLING_SIDE + c] : 0.0f;
        }
}

/* Reads one image of 784 bytes: writes the probabilities of the 10 digits, returns the most probable one. */
static int inkling_read(const uint8_t *image, float *scores) {
    static const int shifts[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};
    float x[INKLING_PIXELS], shifted[INKLING_PIXELS], mean[INKLING_HIDDEN_2], hidden[INKLING_HIDDEN_2];
    int digit, i, j;
    for (i = 0; i < INKLING_PIXELS; i++) x[i] = (float)image[i] / 255.0f;
    inkling_hidden(x, mean);
    digit = inkling_softmax(mean, INKLING_TEMPERATURE, scores);
    if (scores[digit] >= INKLING_VIEWS_BELOW) return digit;
    for (i = 0; i < 4; i++) {
        inkling_shift(x, shifts[i][0], shifts[i][1], shifted);
        inkling_hidden(shifted, hidden);
        for (j = 0; j < INKLING_HIDDEN_2; j++) mean[j] += hidden[j];
    }
    for (j = 0; j < INKLING_HIDDEN_2; j++) mean[j] /= 5.0f; /* the last layer is linear: the logits of the mean are the mean logits */
    return inkling_softmax(mean, INKLING_VIEWS_TEMPERATURE, scores);
}

/* Reads n images of 784 bytes: scores has 10 * n, digits n places. */
static inline void inkling_predict(const uint8_t *images, size_t n, float *scores, int64_t *digits) {
    size_t i;
    for (i = 0; i < n; i++) digits[i] = inkling_read(images + i * INKLING_PIXELS, scores + i * INKLING_DIGITS);
}

#ifdef INKLING_MAIN
#include <stdio.h>

/* Reads images of 784 bytes from standard input; writes one line for each: the digit, and the 10 probabilities. */
int main(void) {
    uint8_t image[INKLING_PIXELS];
    float scores[INKLING_DIGITS];
    int64_t digit;
    size_t bytes, images = 0;
    int j;
    while ((bytes = fread(image, 1, sizeof image, stdin)) == sizeof image) {
        inkling_predict(image, 1, scores, &digit);
        printf("%d", (int)digit);
        for (j = 0; j < INKLING_DIGITS; j++) printf(" %.9g", (double)scores[j]);
        printf("\n");
        images++;
    }
    if (bytes == 0 && images > 0) return fflush(stdout) ? 1 : 0;
    fprintf(stderr, "error: %lu bytes after %lu images; an image is 784 bytes\n", (unsigned long)bytes, (unsigned long)images);
    return 1;
}
#endif
#endif
