// The reasons of decisions and of waiting in the page's language: of promotions, as training/promotion.py and the registry
// word them; of trials that end early, as training/pruning.py; of runs that wait, as app/routes/train.py.

import { current } from "./language.js";

const CHINESE = [
  [/^the promote policy is always(?=;|$)/, "启用策略：总是启用"],
  [/^the promote policy is never(?=;|$)/, "启用策略：不启用"],
  [/^no version was served(?=;|$)/, "此前没有服务中的版本"],
  [/^cannot compare: the recipe holds out no images \(validation_size is 0\)/, "无法比较：配方没有留出图片（validation_size 为 0）"],
  [/^the version that Inkling ships with$/, "Inkling 自带的版本"],
  [/^asked for by (PUT \/versions\/current)$/, "由 $1 请求"],
  [/^requested by (inkling promote)$/, "由 $1 请求"],
  [/^promoted by (inkling verify --repair): the served version was damaged$/, "由 $1 启用：服务中的版本已损坏"],
  [
    /^it learned (.+), the served version (.+): their scores cannot be compared, .+$/,
    "它学的是 $1，服务中的版本学的是 $2：两者的分数不可比，客户端会得到不同的回答；若确实需要，请按版本号启用",
  ],
  [/^pruned at step (\d+): held-out cross-entropy ([\d.]+), and the median of the trials before it is ([\d.]+)$/, "在第 $1 步提前结束：留出图像上的交叉熵为 $2，此前各次试验的中位数为 $3"],
  [/^waits for run (\d+), which is being trained$/, "等待训练 $1 结束"],
  [/^waits for one of the runs ([\d, ]+) and (\d+), which are being trained$/, "等待训练 $1、$2 中的一个结束"],
  [/^waits for its trainer, which is starting$/, "等待训练进程启动"],
  [/^waits for a trainer to take it$/, "等待训练进程接手"],
  [/^no trainer has taken it for (\d+) s; start one on this registry: `inkling worker`, or `docker compose up trainer`$/, "$1 秒内没有训练进程接手；请启动一个：`inkling worker` 或 `docker compose up trainer`"],
  [/^paused: the disk of the data directory is full, (\d+) bytes are free and (\d+) are needed; .+$/, "已暂停：数据目录所在的磁盘已满，剩余 $1 字节，需要 $2 字节；腾出空间后训练会继续"],
  [/ \(digits\)/g, "（数字）"],
  [/^not significantly better on people's pictures: /, "在用户的图片上没有显著更好："],
  [/^significantly better on people's pictures: /, "在用户的图片上显著更好："],
  [/^people's labels are not learned: /, "没有学会用户的标签："],
  [/^not significantly better: /, "没有显著更好："],
  [/^significantly better: /, "显著更好："],
  [/^better overall, but worse on digit (\d): /, "总体更好，但数字 $1 变差："],
  [/^worse on the dataset: /, "在数据集上变差："],
  [/^worse on digit (\d) of the dataset: /, "数据集中的数字 $1 变差："],
  [/(\d+) of (\d+) held-out images correct, (\d+) by the served version/g, "留出的 $2 张图片中读对 $1 张，服务中的版本读对 $3 张"],
  [/; of people's /, "；用户的图片："],
  [/; not learned: /, "；未学习："],
  [/source ([^\s:]+): /g, "来源 $1："],
  [/unnamed sources: /g, "未署名的来源："],
  [/all sources: /g, "所有来源："],
  [/their mean accuracy does not rise/, "平均准确率没有提高"],
  [
    /(\d+) of (\d+) held-out pictures read as labeled, (\d+) by the served version/g,
    "留出的 $2 张图片中按标签读出 $1 张，服务中的版本 $3 张",
  ],
  [/, which is worse/g, "，变差了"],
  [/; below (\d+%) the labels seem to contradict each other/g, "；低于 $1，标签似乎互相矛盾"],
  [/([\d,]+) pictures to which sources gave different labels/, "各来源标签不同的图片 $1 张"],
  [/([\d,]+) corrections, (\d+%) contradict readings that are sure \(at most (\d+%)\)/g, "$1 条纠正中 $2 与确信的读数相矛盾（上限 $3）"],
  [
    /([\d,]+) corrections, (\d+%) of its pictures have another label than the one they are most like \(at most (\d+%)\)/g,
    "$1 条纠正中 $2 的图片与最相似的图片标签不同（上限 $3）",
  ],
  [/, but recall of (\d) falls by ([\d.]+), the limit is ([\d.]+)/, "，但数字 $1 的召回率下降 $2，上限为 $3"],
  [/ \(McNemar's p ([^,)]+), must be below ([^)]+)\)/, "（McNemar 检验 p 值 $1，须低于 $2）"],
  [/ \(McNemar's p ([^)]+)\)/, "（McNemar 检验 p 值 $1）"],
  [/ \(the accuracy may fall by ([^)]+)\)/, "（准确率最多可下降 $1）"],
];

/** Return a reason in the language of the page; in the server's words where they are not known. */
export function decisionText(reason) {
  if (current() !== "zh") return reason;
  return CHINESE.reduce((text, [words, chinese]) => text.replace(words, chinese), reason);
}
