// The server's messages in the page's language: of runs that fail, of what their trainers prepare, of refused versions. Each
// line is a message as the Python code words it, {} for each value; values pass through, translated themselves where they
// hold another message.

import { current } from "./language.js";

const CHINESE = [
  // training/loop.py, lessons.py, snapshot.py, failures.py, worker.py
  ["the loss is {} after step {}, and training cannot recover from more than {}: the learning rate {} is too high for batches of {}; lower it", "第 {2} 步之后损失为 {1}，超过 {3} 就无法恢复：对每批 {5} 张图像来说，学习率 {4} 太高，请调低"],
  ["the recipe {} adds synthetic digits (synthetic is {}), and {} shows no digits: take the recipe general, or set synthetic=0", "配方 {1} 会加入合成数字（synthetic 为 {2}），而 {3} 不是数字：请改用配方 general，或设 synthetic=0"],
  ["there is nothing to learn: of {} corrections of digits all are held out or set aside: {}. GET /feedback?source= shows them, DELETE /feedback?source= deletes them", "没有可学习的：{1} 条数字更正全部被留出或搁置：{2}。GET /feedback?source= 可查看，DELETE /feedback?source= 可删除"],
  ["there is nothing to learn: of {} corrections of digits all are held out; POST /feedback adds some, or leave out `feedback` from the recipe", "没有可学习的：{1} 条数字更正全部被留出；请用 POST /feedback 添加，或去掉配方中的 `feedback`"],
  ["{} has changed since step {} of the run: its SHA-256 was {}..., and is {}... now, of {} training and {} test images; a version would have learned some of both. Put the former files back, or queue another run", "{1} 在训练的第 {2} 步之后改变了：SHA-256 原为 {3}……，现为 {4}……，含 {5} 张训练图像和 {6} 张测试图像；版本会两者各学一部分。请放回原来的文件，或另外开始一次训练"],
  ["the disk of the registry or of the data directory is full: {}; free some space, and train again", "数据库或数据目录所在的磁盘已满：{1}；请腾出空间，再重新训练"],
  ["the registry did not answer for {} s: {}", "数据库 {1} 秒没有应答：{2}"],
  ["its trainer stopped without reporting an error, {} times; the last time: {}", "训练进程 {1} 次停止而没有报告错误；最近一次：{2}"],
  ["was it killed, or out of memory?", "是被终止，还是内存不足？"],
  ["No module named {}", "没有安装模块 {1}"],
  ["loading TensorFlow", "正在加载 TensorFlow"],
  ["drawing synthetic digits: {} of {}", "正在生成合成数字：第 {1} 个，共 {2} 个"],
  ["reading pictures: {} of {}", "正在读取图片：第 {1} 张，共 {2} 张"],
  // training/next_trials.py
  ["all of its last {} trials failed; trial {}: {}", "最近 {1} 次试验全部失败；试验 {2}：{3}"],
  ["{}; run pip install '.[search]' in the project's folder where the trainer is", "{1}；请在训练进程所在的项目文件夹中运行 pip install '.[search]'"],
  // inkling/mnist.py, mnist_download.py
  ["{}. Put MNIST's four files, plain or .gz, or Keras's mnist.npz, into {} or into the folder that INKLING_MNIST_DIR names, or name a mirror of that in INKLING_MNIST_MIRROR; their plain contents have SHA-256 {}", "{1}。请把 MNIST 的四个文件（原文件或 .gz）或 Keras 的 mnist.npz 放入 {2}，或放入 INKLING_MNIST_DIR 指明的文件夹，也可用 INKLING_MNIST_MIRROR 指定镜像；原文件的 SHA-256 为 {3}"],
  ["validation_size {} leaves nothing to train on: the dataset has {} training images", "validation_size 为 {1} 时没有剩下可训练的图像：数据集有 {2} 张训练图像"],
  ["{} lacks {} (plain or .gz)", "{1} 缺少 {2}（原文件或 .gz）"],
  ["{} holds more than {} bytes", "{1} 超过 {2} 字节"],
  ["{} is larger than {} bytes: it is not MNIST", "{1} 超过 {2} 字节：不是 MNIST"],
  ["{}: {} has shape {}, expected {} axes", "{1}：{2} 的形状为 {3}，应有 {4} 个维度"],
  ["{} is {} bytes long, shorter than its header of {}", "{1} 只有 {2} 字节，比文件头的 {3} 字节还短"],
  ["{} starts with magic number {}, expected {}", "{1} 开头的标识数为 {2}，应为 {3}"],
  ["{} holds images of {}x{} pixels, expected {}x{}", "{1} 中的图像为 {2}x{3} 像素，应为 {4}x{5}"],
  ["{} is {} bytes long, expected {} for {} items", "{1} 有 {2} 字节，{4} 项应有 {3} 字节"],
  ["{} has MNIST's size but SHA-256 {}, expected {}: it is damaged, or of another dataset of this size: `inkling train --data FOLDER`, or INKLING_DATASET, reads those", "{1} 的大小与 MNIST 相同，但 SHA-256 为 {2}，应为 {3}：它已损坏，或属于同样大小的其他数据集，那些请用 `inkling train --data FOLDER` 或 INKLING_DATASET 读取"],
  ["{} holds {} items but {} {}: they do not belong together", "{1} 有 {2} 项，而 {3} 有 {4} 项：两者不属于同一数据集"],
  ["{} holds no image", "{1} 中没有图像"],
  ["{} holds the label {}, expected 0 to {}", "{1} 中有标签 {2}，应为 0 至 {3}"],
  ["{}: {} has SHA-256 {}, expected {}", "{1}：{2} 的 SHA-256 为 {3}，应为 {4}"],
  ["MNIST cannot be downloaded from {}: {}", "无法从 {1} 下载 MNIST：{2}"],
  ["the response of {} is not MNIST: {}", "{1} 的应答不是 MNIST：{2}"],
  // inkling/datasets
  ["the run was queued for {}, and its trainer has {}: start server and trainers with the same INKLING_DATASET", "训练要用的是 {1}，而训练进程读取的是 {2}：请用相同的 INKLING_DATASET 启动服务器和训练进程"],
  ["own data named {}", "名为 {1} 的自有数据"],
  ["{} has no image of the labels {}; expected ten classes, 0 to {}", "{1} 中没有标签 {2} 的图像；应有十个类别，0 至 {3}"],
  ["{} holds no dataset whose classes are known: write their ten names into {}, one per line, in the order of the labels; for digits the lines 0 to {}", "{1} 中的数据集类别未知：请把十个名称按标签的顺序写入 {2}，每行一个；若是数字，则为 0 至 {3} 各一行"],
  ["{} is not a text in UTF-8: {}", "{1} 不是 UTF-8 文本：{2}"],
  ["{} has {} classes ({}), expected {}: the network has ten", "{1} 有 {2} 个类别（{3}），应为 {4} 个：网络有十个输出"],
  ["{} names a class twice: {}", "{1} 中有重复的类别：{2}"],
  ["{}: the name {} of a class has {} characters, at most {} printable ones are taken", "{1}：类别名称 {2} 有 {3} 个字符，最多 {4} 个可打印字符"],
  ["class {} has {} images that differ from each other, expected at least 2: one to learn, one to test", "类别 {1} 只有 {2} 张互不相同的图像，至少需要 2 张：一张学习，一张测试"],
  ["{} has no picture of the classes {}", "{1} 中没有类别 {2} 的图片"],
  ["{} holds {} files, the limit is {}", "{1} 中有 {2} 个文件，上限为 {3}"],
  ["{} is not a folder: it should hold IDX files, or one folder of pictures per class", "{1} 不是文件夹：其中应有 IDX 文件，或每个类别一个图片文件夹"],
  ["{} holds neither IDX files (train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or .gz) nor one folder of pictures per class", "{1} 中既没有 IDX 文件（train-images-idx3-ubyte 和 train-labels-idx1-ubyte，原文件或 .gz），也没有每个类别一个的图片文件夹"],
  ["{} of {} pictures in {} cannot be used: {}. Mend or remove them; or leave them out with --skip, or INKLING_DATASET_SKIP=true", "{3} 的 {2} 张图片中有 {1} 张不能用：{4}。请修复或移除；或用 --skip 或 INKLING_DATASET_SKIP=true 略去"],
  // inkling/registry/versions.py, database.py
  ["the database file {} was {} while it was in use, and what is written now would be lost: put it back, or restart to use what is there", "数据库文件 {1} 在使用中{2}，现在写入的内容会丢失：请放回原文件，或重新启动以使用现有的文件"],
  ["the folder {} of the database cannot be written by this user: make it writable", "当前用户不能写入数据库所在的文件夹 {1}：请设为可写"],
  ["there is no version {}", "没有版本 {1}"],
  ["version {} was {} at {} UTC", "版本 {1} 已于 {3} UTC {2}"],
  ["pruned", "被清理"],
  ["deleted", "被删除"],
  ["replaced", "被替换"],
  // app/serving/current_version.py, inkling/network/checkpoint.py, classifier.py, training/trainer.py, snapshot.py
  ["version {} is refused: {}; {} is served instead, `inkling verify --repair` mends it", "版本 {1} 无法使用：{2}；现由 {3} 提供服务，可用 `inkling verify --repair` 修复"],
  ["no other version learned its dataset, so none", "无（没有其他版本学过它的数据集）"],
  ["its copy in the installed package", "安装包中的副本"],
  ["the network that ships", "随附的网络"],
  ["version {}", "版本 {1}"],
  ["its row in the database is damaged: {}", "它在数据库中的记录已损坏：{1}"],
  ["its SHA-256 is {}, recorded was {}", "它的 SHA-256 为 {1}，记录为 {2}"],
  ["its SHA-256 is {}, its metadata state {}: it is damaged, or was written again", "它的 SHA-256 为 {1}，元数据中为 {2}：它已损坏，或被重新写过"],
  ["{} bytes{}, expected at most {}", "{1} 字节{2}，最多应为 {3}"],
  ["not a safetensors file of arrays{}: {}; `inkling train --out FILE` writes one", "不是含数组的 safetensors 文件{1}：{2}；可用 `inkling train --out FILE` 生成"],
  [" but {}", "，而是 {1}"],
  ["holds {}, expected {}", "含有 {1}，应为 {2}"],
  ["the state holds {}, expected {}", "状态含有 {1}，应为 {2}"],
  ["elapsed_s is missing", "缺少 elapsed_s"],
  ["{} is {}, expected float32", "{1} 为 {2}，应为 float32"],
  ["there is no {} of the shape {}", "没有形状为 {2} 的 {1}"],
  ["{} has shape {}, expected {}", "{1} 的形状为 {2}，应为 {3}"],
  ["{} holds values that are not finite", "{1} 含有非有限的数值"],
  ["has no card: the metadata `inkling` is missing", "没有卡片：缺少元数据 `inkling`"],
  ["format version is {}, expected {}", "格式版本为 {1}，应为 {2}"],
  ["its card cannot be read: {}", "它的卡片无法读取：{1}"],
  ["its probabilities add up to {}, expected 1", "它的概率之和为 {1}，应为 1"],
  ["its digit scores are {}, expected 0 to 1", "它的数字得分为 {1}，应为 0 至 1"],
  // the most general last: the first that fits is taken
  ["{}; and {} more", "{1}；以及另外 {2} 个"],
  ["{} cannot be read: {}", "无法读取 {1}：{2}"],
];

const MESSAGES = CHINESE.map(([message, chinese]) => [pattern(message), chinese]);

/** Return a message of the server in the language of the page; in the server's words where it is not known. */
export function serverText(message) {
  return current() === "zh" ? translated(message) : message;
}

function translated(message) {
  for (const [words, chinese] of MESSAGES) {
    const values = message.match(words);
    if (values) return chinese.replace(/\{(\d)\}/g, (_, i) => translated(values[i]));
  }
  return message;
}

/** Return the pattern of a whole message: as few characters as possible for each {}. */
function pattern(message) {
  const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${message.split("{}").map(literal).join("(.*?)")}$`, "s");
}
