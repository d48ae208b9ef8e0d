// Opens a CSV as a spreadsheet does (SheetJS: code page, numbers, dates), and prints what its cells show.
const {readFile, utils} = require("xlsx");
const book = readFile(process.argv[2]);
console.log(JSON.stringify(utils.sheet_to_json(book.Sheets[book.SheetNames[0]])));
